// A tool loop with nothing but Microsoft.Extensions.AI.Abstractions: the model calls functions of this program until it can answer.
//   dotnet run --project samples/ToolCalling -c Release -- [--model DIR] [--question TEXT] [--force] [--max-tokens N]
// --force requires a call in the first round: the answer's grammar then allows nothing else, however small the model is.
using System.ComponentModel;
using System.Globalization;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Options;

string? Option(string name) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;

[Description("The weather of a city right now.")]
static string Weather([Description("Name of the city")] string city) => string.Create(CultureInfo.InvariantCulture, $"{city}: {city.Length % 30} °C, sunny");

[Description("Date and time in UTC.")]
static string Now() => DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture);

AIFunction[] functions = [AIFunctionFactory.Create(Weather, nameof(Weather)), AIFunctionFactory.Create(Now, nameof(Now))];
var options = new ChatOptions
{
    Tools = [.. functions],
    ToolMode = args.Contains("--force", StringComparer.Ordinal) ? ChatToolMode.RequireAny : ChatToolMode.Auto,
    MaxOutputTokens = int.TryParse(Option("--max-tokens"), NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) ? tokens : 512,
};
try
{
    using var client = new KvPrefetchChatClient(new KvPrefetchOptions { Model = Option("--model") ?? TinyChatModel.Name });
    List<ChatMessage> history = [new(ChatRole.User, Option("--question") ?? "What is the weather in Oslo?")];
    for (var round = 0; round < 5; round++)
    {
        var response = await client.GetResponseAsync(history, options);
        Console.Write(response.Text);
        history.AddMessages(response);
        var calls = response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().ToList();
        if (calls.Count == 0)
        {
            break;
        }

        foreach (var call in calls)
        {
            object? result = call.Exception is { } broken ? broken.Message
                : Array.Find(functions, f => f.Name == call.Name) is { } function ? await function.InvokeAsync(new AIFunctionArguments(call.Arguments))
                : $"There is no function {call.Name}.";
            Console.WriteLine($"[{call.Name}({string.Join(", ", call.Arguments ?? new Dictionary<string, object?>())}) -> {result}]");
            history.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, result)]));
        }

        options.ToolMode = ChatToolMode.Auto;
    }

    Console.WriteLine();
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
