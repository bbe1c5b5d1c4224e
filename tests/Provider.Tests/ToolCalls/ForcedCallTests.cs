using System.Globalization;
using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Calls that random weights draw themselves, through the whole client: every family's way of writing calls, by models of every family of architectures that there are weights of.
/// <c>KVPREFETCH_FORCED_CALLS=1000 Provider.Tests -class '*ForcedCallTests' -showliveoutput</c> draws a thousand for each way.</summary>
public sealed class ForcedCallTests
{
    private const int Together = 50;

    private static readonly int Calls = int.TryParse(Environment.GetEnvironmentVariable("KVPREFETCH_FORCED_CALLS"), NumberStyles.None, CultureInfo.InvariantCulture, out var calls) ? calls : 20;

    private static readonly AITool[] Tools =
    [
        Function("get_weather", """{"type":"object","properties":{"city":{"type":"string","maxLength":10},"unit":{"enum":["C","F"]},"days":{"type":"integer","minimum":0,"maximum":99},"exact":{"type":"boolean"}},"required":["city","days"],"additionalProperties":false}"""),
        Function("now", """{"type":"object","properties":{},"additionalProperties":false}"""),
        Function("search-notes", """{"type":"object","properties":{"tags":{"type":"array","items":{"type":"string","maxLength":5},"maxItems":3},"range":{"type":"object","properties":{"from":{"type":"integer","minimum":-9,"maximum":9}},"required":["from"],"additionalProperties":false}},"required":["tags"],"additionalProperties":false}"""),
    ];

    public static TheoryData<string, string[]> Families => GrammarTests.Families;

    [Theory]
    [MemberData(nameof(Families))]
    public async Task No_call_of_random_weights_has_a_syntax_error(string family, string[] tags)
    {
        var template = "{# " + family + " #}{% for t in tools or [] %}{{ t.function.name }} {{ t.function.description }} {% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";
        var index = Families.Select(row => row.Data.Item1).ToList().IndexOf(family);
        var (calls, cut, tokens, done) = (0, 0, 0L, 0);
        var used = new List<string>();
        for (var part = 0; done < Calls; part++)
        {
            // Three kinds of weights for each way of writing; together all of them have their turn.
            using var model = TinyModel.Create(new() { ChatTemplate = template, ContextLength = 512, Std = 0.02, Seed = (index * 3) + part + 1 });
            used.Add(TakeWeights(model.Path, (index * 3) + part));
            AddedTags.Write(model.Path, tags);
            using var client = new KvPrefetchChatClient(Chat.Options(model));
            var share = Math.Min(Calls - done, (Calls + 2) / 3);
            for (var from = 0; from < share; from += Together)
            {
                var responses = await Task.WhenAll(Enumerable.Range(done + from, Math.Min(Together, share - from)).Select(seed => AskAsync(client, seed)));
                foreach (var response in responses)
                {
                    var contents = response.Messages.Single().Contents;
                    var made = contents.OfType<FunctionCallContent>().ToList();
                    tokens += response.Usage!.OutputTokenCount!.Value;
                    calls += made.Count;
                    Assert.True(made.TrueForAll(Fits), $"{family}, {used[^1]}: {JsonSerializer.Serialize(contents, AIJsonUtilities.DefaultOptions)}");
                    if (response.FinishReason == ChatFinishReason.Length)
                    {
                        cut++;
                        continue;
                    }

                    Assert.True(response.FinishReason == ChatFinishReason.ToolCalls && made.Count == 1 && response.Text.Length == 0 && !contents.OfType<ErrorContent>().Any(), $"{family}, {used[^1]}: {JsonSerializer.Serialize(contents, AIJsonUtilities.DefaultOptions)}");
                }
            }

            done += share;
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{family}: {calls} calls of {done} answers, 0 syntax errors, {cut} cut by length, {tokens / (double)done:F0} tokens each; weights {string.Join(", ", used)}");
        Assert.True(calls > done * 9 / 10, "most answers end");
    }

    private static Task<ChatResponse> AskAsync(KvPrefetchChatClient client, int seed) => client.GetResponseAsync(
        Chat.User("?"),
        new ChatOptions { Tools = [.. Tools], ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false, Seed = seed, Temperature = 1, MaxOutputTokens = 360, AdditionalProperties = new() { ["thinking_budget"] = 4 } },
        TestContext.Current.CancellationToken);

    /// <summary>Weights of the reference goldens in place of the tiny Llama's, where they are there. They have its number of tokens.</summary>
    private static string TakeWeights(string folder, int index)
    {
        var shared = Environment.GetEnvironmentVariable("KVPREFETCH_SHARED");
        var families = shared is null ? null : Path.Combine(shared, "goldens", "families");
        if (families is null || !Directory.Exists(families))
        {
            return "llama";
        }

        // One of them has a context of 32 tokens.
        var all = Directory.GetDirectories(families).Where(f => !f.EndsWith("rope-dynamic", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
        var source = all[index % all.Count];
        foreach (var name in new[] { "config.json", "generation_config.json", "model.safetensors" })
        {
            File.Copy(Path.Combine(source, name), Path.Combine(folder, name), overwrite: true);
            File.SetAttributes(Path.Combine(folder, name), FileAttributes.Normal);
        }

        return Path.GetFileName(source);
    }

    private static bool Fits(FunctionCallContent call)
    {
        if (call.Exception is not null || call.Arguments is not { } given || string.IsNullOrEmpty(call.CallId))
        {
            return false;
        }

        JsonElement Value(string name) => given.TryGetValue(name, out var value) && value is JsonElement element ? element : default;
        return call.Name switch
        {
            "now" => given.Count == 0,
            "get_weather" => Value("city") is { ValueKind: JsonValueKind.String } city && city.GetString()!.EnumerateRunes().Count() <= 10
                && Value("days") is { ValueKind: JsonValueKind.Number } days && days.GetDouble() is >= 0 and <= 99
                && (!given.ContainsKey("unit") || Value("unit").GetString() is "C" or "F")
                && (!given.ContainsKey("exact") || Value("exact").ValueKind is JsonValueKind.True or JsonValueKind.False)
                && given.Keys.All(k => k is "city" or "days" or "unit" or "exact"),
            "search-notes" => Value("tags") is { ValueKind: JsonValueKind.Array } tags && tags.EnumerateArray().All(t => t.ValueKind == JsonValueKind.String && t.GetString()!.EnumerateRunes().Count() <= 5) && tags.GetArrayLength() <= 3
                && (!given.ContainsKey("range") || Value("range").GetProperty("from").GetDouble() is >= -9 and <= 9)
                && given.Keys.All(k => k is "tags" or "range"),
            _ => false,
        };
    }

    private static AIFunctionDeclaration Function(string name, string schema) => AIFunctionFactory.CreateDeclaration(name, "", JsonDocument.Parse(schema).RootElement);
}
