using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace KvPrefetch.Samples.StructuredOutput;

/// <summary>What is to be read from the text. Descriptions are shown to the model.</summary>
internal sealed record Person(
    [property: Description("First and last name"), MaxLength(60)] string Name,
    [property: Description("Year of birth"), Range(0, 2100)] int Born,
    [property: Description("City of birth"), MaxLength(40)] string? City,
    [property: Description("What the person likes"), MaxLength(4)] string[] Likes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Person))]
internal sealed partial class PersonJson : JsonSerializerContext;
