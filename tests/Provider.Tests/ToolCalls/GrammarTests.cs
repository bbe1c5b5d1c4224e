using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Whatever is drawn under a family's grammar, its own reader reads it as calls that fit their schemas.</summary>
public sealed class GrammarTests
{
    // Of each vocabulary and number of calls: a thousand a family where the machine has time.
    private static readonly int Walks = TestAssets.FuzzSeconds >= 20 ? 250 : 40;

    private static readonly string[] Closers = ["<tool_call>", "\n</parameter>", "</parameter>", "</arg_value>", "</｜DSML｜parameter>", "</think>", "<|end|>", "<|\"|>", "<escape>"];

    private static readonly ToolSet Tools = new(new Dictionary<string, JsonElement>(StringComparer.Ordinal)
    {
        ["get_weather"] = Schema("""{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["C","F"]},"days":{"type":"integer","minimum":0,"maximum":99},"exact":{"type":"boolean"}},"required":["city","days"],"additionalProperties":false}"""),
        ["now"] = Schema("""{"type":"object","properties":{},"additionalProperties":false}"""),
        ["search-notes"] = Schema("""{"type":"object","properties":{"tags":{"type":"array","items":{"type":"string","maxLength":5},"maxItems":3},"range":{"type":"object","properties":{"from":{"type":"integer"}},"required":["from"],"additionalProperties":false}},"required":["tags"],"additionalProperties":false}"""),
    });

    /// <summary>What each family's template holds, and its tags, which a vocabulary may have as tokens.</summary>
    public static TheoryData<string, string[]> Families => new()
    {
        { "<tool_call>", ["<tool_call>", "</tool_call>"] },
        { "<tool_call><function=><parameter=>", ["<tool_call>", "</tool_call>"] },
        { "<seed:tool_call>", ["<seed:tool_call>", "</seed:tool_call>"] },
        { "<function=name></function>", [] },
        { "<|python_tag|>", ["<|python_tag|>"] },
        { "[func_name1(", [] },
        { "<|tool_list_start|>", ["<|tool_call_start|>", "<|tool_call_end|>"] },
        { "[TOOL_CALLS]", ["[TOOL_CALLS]"] },
        { "[TOOL_CALLS][ARGS]", ["[TOOL_CALLS]", "[ARGS]"] },
        { "<|tool_call>call:", ["<|tool_call>", "<tool_call|>", "<|\"|>"] },
        { "<start_function_call>", ["<start_function_call>", "<end_function_call>", "<escape>"] },
        { "<|tool_call|>", ["<|tool_call|>", "<|/tool_call|>"] },
        { "<｜tool▁call▁begin｜>", ["<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"] },
        { "<|tool_call_argument_begin|>", ["<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>", "<|tool_call_argument_begin|>"] },
        { "<｜DSML｜", [] },
        { "<minimax:tool_call>", ["<minimax:tool_call>", "</minimax:tool_call>"] },
        { "<arg_key>", ["<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"] },
        { "<|START_ACTION|>", ["<|START_ACTION|>", "<|END_ACTION|>"] },
        { "<|tools_prefix|>", ["<|tools_prefix|>", "<|tools_suffix|>"] },
        { "<tool_calls>", ["<tool_calls>", "</tool_calls>"] },
        { ">>>all", [] },
        { "<|channel|><|message|>", ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>"] },
    };

    [Theory]
    [MemberData(nameof(Families))]
    public void Forced_calls_are_calls_of_functions_that_are_there(string template, string[] tags)
    {
        // Harmony without its tokens does not exist.
        foreach (var tokens in template.Contains("<|channel|>", StringComparison.Ordinal) ? [tags] : new[] { tags, [] })
        {
            var tokenizer = TokenizerWith(tokens);
            var format = AnswerFormat.Of(template, tokenizer);
            foreach (var isMultiple in new[] { true, false })
            {
                var rules = new AnswerRules(Tools.Schemas, IsRequired: true, isMultiple, InSection: false, Schema: null, OpensReasoning: false);
                var grammar = Grammar.FromPart(AnswerGrammar.Of(format, tokenizer, rules)!);
                for (var seed = 0; seed < Walks; seed++)
                {
                    var ids = Walk(grammar, tokenizer, seed);
                    var parts = Read(format, tokenizer, ids, "");
                    var calls = parts.Where(p => p.Kind is not (AnswerPartKind.Reasoning or AnswerPartKind.Text)).ToList();
                    Assert.True(calls.Count > 0 && (isMultiple || calls.Count == 1) && calls.TrueForAll(Fits), $"seed {seed}: {tokenizer.Decode([.. ids])} is read as {Answers.Written(parts)}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void In_free_text_a_call_that_is_opened_is_whole(string template, string[] tags)
    {
        foreach (var (opensReasoning, tokens) in template.Contains("<|channel|>", StringComparison.Ordinal)
                     ? [(false, tags)]
                     : new (bool, string[])[] { (true, [.. tags, "<think>", "</think>"]), (false, [.. tags, "<think>", "</think>"]), (false, []) })
        {
            var tokenizer = TokenizerWith(tokens);
            var format = AnswerFormat.Of(tokens.Length > 0 ? template + "<think>" : template, tokenizer);
            var rules = new AnswerRules(Tools.Schemas, IsRequired: false, IsMultiple: true, InSection: false, Schema: null, opensReasoning);
            var grammar = Grammar.FromPart(AnswerGrammar.Of(format, tokenizer, rules)!);
            for (var seed = 0; seed < Walks / 5; seed++)
            {
                var parts = Read(format, tokenizer, Walk(grammar, tokenizer, seed), opensReasoning ? "<think>" : "");
                Assert.True(parts.Where(p => p.Kind is AnswerPartKind.Call or AnswerPartKind.Malformed).All(Fits), $"seed {seed}: {Answers.Written(parts)}");
            }
        }
    }

    [Fact]
    public void After_reasoning_comes_what_was_asked_for()
    {
        var schema = Schema("""{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}""");
        foreach (var tokens in new string[][] { ["<think>", "</think>"], [] })
        {
            var tokenizer = TokenizerWith(tokens);
            var format = AnswerFormat.Of("<think>", tokenizer);
            foreach (var opensReasoning in new[] { true, false })
            {
                var rules = new AnswerRules(ToolSet.Empty.Schemas, IsRequired: false, IsMultiple: true, InSection: false, schema, opensReasoning);
                var grammar = Grammar.FromPart(AnswerGrammar.Of(format, tokenizer, rules)!);
                for (var seed = 0; seed < Walks; seed++)
                {
                    var parts = Read(format, tokenizer, Walk(grammar, tokenizer, seed), opensReasoning ? "<think>" : "");
                    var text = string.Concat(parts.Where(p => p.Kind == AnswerPartKind.Text).Select(p => p.Text));
                    Assert.Equal(["a"], JsonNode.Parse(text)!.AsObject().Select(m => m.Key));
                }
            }
        }
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}""")]
    [InlineData("""{"type":"object"}""")]
    [InlineData("""{"type":"array","items":{"type":"string"}}""")]
    public void Nothing_that_is_drawn_under_an_open_schema_comes_to_a_dead_end(string schema)
    {
        var grammar = Grammar.FromPart(CallGrammar.Value(Schema(schema)));
        for (var seed = 0; seed < Walks; seed++)
        {
            Walk(grammar, Templates.Tokenizer, seed, limit: 300);
        }
    }

    private static bool Fits(AnswerPart part)
    {
        if (part.Call is not { Error: null, Arguments: { } given } call)
        {
            return false;
        }

        bool Is(string name, JsonValueKind kind) => given.TryGetValue(name, out var value) && ((JsonElement)value!).ValueKind == kind;
        return call.Name switch
        {
            "now" => given.Count == 0,
            "get_weather" => Is("city", JsonValueKind.String) && Is("days", JsonValueKind.Number) && (!given.ContainsKey("unit") || Is("unit", JsonValueKind.String))
                && given.Keys.All(k => k is "city" or "days" or "unit" or "exact"),
            "search-notes" => Is("tags", JsonValueKind.Array) && given.Keys.All(k => k is "tags" or "range"),
            _ => false,
        };
    }

    private static List<AnswerPart> Read(AnswerFormat format, Tokenizer tokenizer, List<int> ids, string tail)
    {
        var parts = new List<AnswerPart>();
        var reader = format.Read(format.CreateReader(Tools, readsCalls: true, inSection: false, tail));
        foreach (var id in ids)
        {
            reader.Append(id, parts);
        }

        reader.End(isWhole: true, parts);
        _ = tokenizer;
        return parts;
    }

    /// <summary>Draws tokens; after a hundred those that close something are preferred, so that it ends.</summary>
    private static List<int> Walk(Grammar grammar, Tokenizer tokenizer, int seed, int? limit = null)
    {
        var random = new Random(seed);
        var state = grammar.Start(tokenizer);
        var mask = new uint[state.MaskWords];
        var ids = new List<int>();
        while (true)
        {
            state.ComputeMask(mask);
            var count = mask.Sum(BitOperations.PopCount);
            if ((state.CanEnd && (count == 0 || random.Next(3) == 0)) || (count > 0 && ids.Count > limit))
            {
                return ids;
            }

            if (count == 0 || ids.Count > 20_000)
            {
                Assert.Fail($"seed {seed}: {(count == 0 ? "dead end" : "no end")} after {tokenizer.Decode([.. ids.TakeLast(300)])}");
            }

            var id = Pick(mask, random.Next(count));
            if (ids.Count > 100 && random.Next(2) == 0)
            {
                // Chance does not spell a tag.
                if (Spelled(state, Closers[random.Next(Closers.Length)]) is { } spelled)
                {
                    (state, var letters) = spelled;
                    ids.AddRange(letters);
                    continue;
                }

                var closing = Enumerable.Range(0, mask.Length * 32).Where(i => (mask[i / 32] >> (i % 32) & 1) != 0 && (tokenizer.IsAdded(i) || tokenizer.Decode([i]) is "\"" or "}" or "]" or ")")).ToList();
                id = closing.Count > 0 ? closing[random.Next(closing.Count)] : id;
            }

            ids.Add(id);
            Assert.True(state.Advance(id));
        }
    }

    private static (ConstraintState State, List<int> Ids)? Spelled(ConstraintState state, string text)
    {
        state = state.Clone();
        var ids = Encoding.UTF8.GetBytes(text).Select(b => TinyModel.FirstByteId + b).ToList();
        return ids.TrueForAll(state.Advance) ? (state, ids) : null;
    }

    private static int Pick(uint[] mask, int index)
    {
        for (var id = 0; ; id++)
        {
            if ((mask[id / 32] >> (id % 32) & 1) != 0 && index-- == 0)
            {
                return id;
            }
        }
    }

    private static Tokenizer TokenizerWith(string[] tags)
    {
        using var model = TinyModel.Create();
        AddedTags.Write(model.Path, tags);
        return Tokenizer.Load(model.Path);
    }

    private static JsonElement Schema(string json) => JsonDocument.Parse(json).RootElement;
}
