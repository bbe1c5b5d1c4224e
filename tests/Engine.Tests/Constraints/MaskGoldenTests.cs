using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Tests.Tokenization;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Which tokens may come next under a regular expression, against llguidance, to the id.</summary>
public sealed class MaskGoldenTests
{
    [Theory]
    [InlineData("llama3_1")]
    [InlineData("qwen3")]
    [InlineData("smollm2")]
    public void Masks_under_regular_expressions_are_those_of_the_reference(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        using var golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(TestAssets.Shared, "goldens", "masks", name + ".json")));
        List<string> wrong = [];
        // The reference spells forced text with added tokens, and stops behind one; with us text never becomes a control token.
        (string, string)[] others = [("qwen3", "<tool_call>\\{.*\\}</tool_call>")];
        foreach (var @case in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            var regex = @case.GetProperty("regex").GetString()!;
            if (others.Contains((name, regex)))
            {
                continue;
            }

            var grammar = Grammar.FromRegex(regex);
            foreach (var step in @case.GetProperty("steps").EnumerateArray())
            {
                var state = grammar.Start(tokenizer);
                var prefix = step.GetProperty("prefix_ids").EnumerateArray().Select(id => id.GetInt32()).ToArray();
                var taken = Array.TrueForAll(prefix, state.Advance);
                var ids = Allowed(state);
                if (!taken || Hash(ids) != step.GetProperty("sha256").GetString() || state.CanEnd != step.GetProperty("end_allowed").GetBoolean())
                {
                    wrong.Add($"{regex} after [{string.Join(' ', prefix)}] ({taken}): {ids.Length} ids, expected {step.GetProperty("count")}; end {state.CanEnd}, expected {step.GetProperty("end_allowed")}; {string.Join(' ', ids.Take(20))}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static int[] Allowed(ConstraintState state)
    {
        var mask = new uint[state.MaskWords];
        state.ComputeMask(mask);
        return [.. mask.SelectMany((word, at) => Enumerable.Range(0, 32).Where(bit => ((word >> bit) & 1) != 0).Select(bit => (at * 32) + bit))];
    }

    private static string Hash(int[] ids)
    {
        var bytes = new byte[ids.Length * 4];
        for (var i = 0; i < ids.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), ids[i]);
        }

        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
