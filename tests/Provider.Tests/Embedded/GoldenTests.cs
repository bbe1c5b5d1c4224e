using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.Embedded;

/// <summary>The embedded model gives the reference's tokens: Golden/tiny-chat.json was made with transformers by tools/tiny-chat.</summary>
public sealed class GoldenTests(EmbeddedModel model) : IClassFixture<EmbeddedModel>
{
    [Fact]
    public async Task Fifty_prompts_have_the_references_tokens_all_at_once()
    {
        using var goldens = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Golden", "tiny-chat.json")));
        var prompts = goldens.RootElement.GetProperty("prompts").EnumerateArray().ToArray();
        Assert.True(prompts.Length >= 50, $"{prompts.Length} prompts");
        var format = PromptFormat.For(model.Engine, _ => { });
        await Task.WhenAll(prompts.Select(async golden =>
        {
            var name = golden.GetProperty("name").GetString();
            var turns = PromptBuilder.Build(Messages(golden), instructions: null);
            var prompt = format.Write(turns, ToolRequest.Of(new ChatOptions { Tools = Tools(golden) }).Declarations, variables: null).Tokens;
            Assert.True(Ids(golden, "prompt_ids").SequenceEqual(prompt), $"{name}: the prompt has other tokens");
            var expected = Ids(golden, "greedy_ids").Take(golden.GetProperty("compare_until").GetInt32()).ToArray();
            if (expected.Length == 0)
            {
                return; // the reference itself is undecided at the first token
            }

            using var generation = model.Engine.Submit(new GenerationRequest { Prompt = prompt, MaxOutputTokens = expected.Length, Sampling = new() { Temperature = 0 } });
            var tokens = new List<int>();
            await foreach (var piece in generation.ReadAllAsync())
            {
                if (piece.Token is { } token)
                {
                    tokens.Add(token);
                }
            }

            Assert.True(expected.SequenceEqual(tokens), $"{name}: {string.Join(' ', tokens)} instead of {string.Join(' ', expected)}");
        }));
    }

    private static List<ChatMessage> Messages(JsonElement golden)
    {
        var messages = new List<ChatMessage>();
        foreach (var message in golden.GetProperty("messages").EnumerateArray())
        {
            var (role, content) = (message.GetProperty("role").GetString()!, message.TryGetProperty("content", out var text) ? text.GetString() : null);
            if (role is "tool")
            {
                messages.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(message.TryGetProperty("tool_call_id", out var id) ? id.GetString()! : "call_0", content)]));
                continue;
            }

            var contents = new List<AIContent>();
            if (!string.IsNullOrEmpty(content))
            {
                contents.Add(new TextContent(content));
            }

            if (message.TryGetProperty("tool_calls", out var calls))
            {
                contents.AddRange(calls.EnumerateArray().Select(call => new FunctionCallContent(
                    call.TryGetProperty("id", out var id) ? id.GetString()! : "call_0",
                    call.GetProperty("function").GetProperty("name").GetString()!,
                    call.GetProperty("function").GetProperty("arguments").EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value.Clone()))));
            }

            messages.Add(new ChatMessage(new ChatRole(role), contents));
        }

        return messages;
    }

    private static List<AITool>? Tools(JsonElement golden) => golden.TryGetProperty("tools", out var tools) && tools.ValueKind == JsonValueKind.Array
        ? [.. tools.EnumerateArray().Select(t => t.GetProperty("function")).Select(f => AIFunctionFactory.CreateDeclaration(f.GetProperty("name").GetString()!, f.GetProperty("description").GetString()!, f.GetProperty("parameters").Clone()))]
        : null;

    private static int[] Ids(JsonElement golden, string name) => [.. golden.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];
}
