// Fills a C# record from a text. The answer is JSON by grammar: however small the model is, the record can be read.
//   dotnet run --project samples/StructuredOutput -c Release -- [--model DIR] [--text TEXT] [--max-tokens N]
using System.Globalization;
using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Samples.StructuredOutput;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;

string? Option(string name) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;

var text = Option("--text") ?? "Ada Lovelace, born in London in 1815, wrote the first program. She liked mathematics, music and horses.";
try
{
    using var client = new KvPrefetchChatClient(new KvPrefetchOptions { Model = Option("--model") ?? TinyChatModel.Name });
    var options = new ChatOptions
    {
        ResponseFormat = ChatResponseFormat.ForJsonSchema(AIJsonUtilities.CreateJsonSchema(typeof(Person), serializerOptions: PersonJson.Default.Options), "Person"),
        MaxOutputTokens = int.TryParse(Option("--max-tokens"), NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) ? tokens : 512,
        Temperature = 0,
    };
    var response = await client.GetResponseAsync($"Who is this text about?\n\n{text}", options);
    if (response.FinishReason == ChatFinishReason.Length)
    {
        await Console.Error.WriteLineAsync("The answer was cut by --max-tokens and is no whole JSON.");
        return 4;
    }

    var person = JsonSerializer.Deserialize(response.Text, PersonJson.Default.Person)!;
    Console.WriteLine($"name: {person.Name}");
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"born: {person.Born}"));
    Console.WriteLine($"city: {person.City ?? "-"}");
    Console.WriteLine($"likes: {string.Join(", ", person.Likes)}");
    return 0;
}
catch (OptionsValidationException e)
{
    await Console.Error.WriteLineAsync($"{e.Message} Try --model DIR.");
    return 2;
}
catch (KvPrefetchException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 3;
}
