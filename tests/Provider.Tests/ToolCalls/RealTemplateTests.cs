using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>What real templates write of an assistant's calls is what such a model was taught to write: the reader chosen for the template reads it back.</summary>
public sealed class RealTemplateTests
{
    private const string Call = """{"id":"call00001","type":"function","function":{"name":"get_weather","arguments":{"city":"Oslo \"north\"","nested":{"a":[1,2.5,true,null,"é"]}}}}""";
    private const string Expected = """<get_weather{"city":"Oslo \"north\"","nested":{"a":[1,2.5,true,null,"é"]}}>""";
    private const string Tools = """[{"type":"function","function":{"name":"get_weather","description":"Of a city.","parameters":{"type":"object","properties":{"city":{"type":"string"},"nested":{"type":"object"}}}}}]""";

    private static readonly string[] Without =
    [
        "CohereForAI-c4ai-command-r-plus-tool_use", "HuggingFaceTB-SmolLM3-3B", "Kimi-K2-Instruct", "LFM2-8B-A1B", "MiroThinker", "SmolLM2-135M-Instruct", "fireworks-ai-llama-3-firefunction-v2",
        "google-gemma-2-2b-it", "llama-cpp-deepseek-r1", "llama-cpp-rwkv-world", "microsoft-Phi-3.5-mini-instruct", "npm-lenml-gemma3", "npm-lenml-llama3", "npm-lenml-llama3_1",
    ];

    public static TheoryData<string> Names => Templates.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void A_call_that_a_real_template_writes_is_read_back(string name)
    {
        var template = Templates.Real(name);
        var user = """{"role":"user","content":"Weather?"}""";
        foreach (var (content, textual) in new[] { ("\"\"", false), ("\"\"", true), ("null", false), ("null", true) })
        {
            var call = textual ? Textual(Call) : Call;
            try
            {
                var before = Render(template, $"[{user}]", open: true);
                var after = Render(template, $$"""[{{user}},{"role":"assistant","content":{{content}},"tool_calls":[{{call}}]}]""", open: false);
                if (!after.Contains("Oslo", StringComparison.Ordinal) || after.Contains("\\\"city\\\"", StringComparison.Ordinal))
                {
                    continue;
                }

                var common = before.Zip(after).TakeWhile(pair => pair.First == pair.Second).Count();
                // Where the opened turn and the call begin alike, the call begins before they differ.
                var from = after.LastIndexOf("Weather?", StringComparison.Ordinal) + 8;
                Assert.Contains([after[common..], after[from..]], answer => Answers.Read(Answers.Reader(template.Source)(), [answer]).Contains(Expected, StringComparison.Ordinal));
                return;
            }
            catch (ChatTemplateException)
            {
                // It wants them otherwise.
            }
        }

        Assert.Contains(name, Without);
    }

    private static string Render(ChatTemplate template, string messages, bool open) =>
        string.Concat(template.Render((JsonArray)JsonNode.Parse(messages)!, new ChatTemplateOptions { Tools = (JsonArray)JsonNode.Parse(Tools)!, AddGenerationPrompt = open }).Select(s => s.Text));

    private static string Textual(string call)
    {
        var node = JsonNode.Parse(call)!;
        node["function"]!["arguments"] = node["function"]!["arguments"]!.ToJsonString();
        return node.ToJsonString();
    }
}
