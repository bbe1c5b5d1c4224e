using System.ComponentModel;
using System.Text.Json.Serialization;

namespace KvPrefetch.Samples.StructuredOutput;

/// <summary>What is to be read from the text. Descriptions are shown to the model.</summary>
internal sealed record Person(
    [property: Description("First and last name")] string Name,
    [property: Description("Year of birth")] int Born,
    [property: Description("City of birth")] string? City,
    [property: Description("What the person likes")] string[] Likes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Person))]
internal sealed partial class PersonJson : JsonSerializerContext;
