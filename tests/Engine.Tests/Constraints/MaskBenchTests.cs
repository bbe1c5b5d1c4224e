using System.IO.Compression;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Tests.Tokenization;

namespace KvPrefetch.Tests.Constraints;

/// <summary>A sample of real schemas with their instances; benchmarks/Constraints measures all of them.</summary>
public sealed class MaskBenchTests
{
    private const int Every = 12;

    [Fact]
    public void No_invalid_instance_is_accepted_and_hardly_a_valid_one_refused()
    {
        int schemas = 0, refused = 0;
        List<string> wrong = [];
        foreach (var line in Lines())
        {
            using var json = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 256 });
            schemas++;
            try
            {
                var grammar = Grammar.FromJsonSchema(json.RootElement.GetProperty("schema"));
                foreach (var test in json.RootElement.GetProperty("tests").EnumerateArray())
                {
                    if (grammar.Accepts(Encoding.UTF8.GetBytes(test.GetProperty("text").GetString()!)) != test.GetProperty("valid").GetBoolean())
                    {
                        wrong.Add($"{json.RootElement.GetProperty("name")}: {(test.GetProperty("valid").GetBoolean() ? "refused" : "accepted")} {test.GetProperty("text").GetString()![..20]}");
                    }
                }
            }
            catch (GrammarException)
            {
                refused++;
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(refused * 100 <= schemas, $"{refused} of {schemas} refused");
    }

    [Fact]
    public void A_remembered_or_shortened_mask_is_the_mask_that_trying_every_token_gives()
    {
        var tokenizer = TokenizerAssets.Load("smollm2");
        var random = new Random(7);
        foreach (var line in Lines().Where((_, i) => i % 12 == 0))
        {
            using var json = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 256 });
            Grammar grammar;
            try
            {
                grammar = Grammar.FromJsonSchema(json.RootElement.GetProperty("schema"));
            }
            catch (GrammarException)
            {
                continue;
            }

            var test = json.RootElement.GetProperty("tests").EnumerateArray().FirstOrDefault();
            if (test.ValueKind == JsonValueKind.Undefined)
            {
                continue;
            }

            var state = grammar.Start(tokenizer);
            var mask = new uint[state.MaskWords];
            foreach (var id in tokenizer.Encode(test.GetProperty("text").GetString()!))
            {
                state.ComputeMask(mask);
                // A few places a schema: each tries the whole vocabulary.
                if (random.Next(25) == 0)
                {
                    for (var other = 0; other < tokenizer.VocabularySize; other++)
                    {
                        Assert.True(((mask[other >> 5] >> other) & 1) != 0 == state.Clone().Advance(other), $"{json.RootElement.GetProperty("name")}: token {other} '{Encoding.UTF8.GetString(tokenizer.GetTokenText(other))}'");
                    }
                }

                if (!state.Advance(id))
                {
                    break;
                }
            }
        }
    }

    private static IEnumerable<string> Lines()
    {
        using var file = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(TestAssets.Shared, "goldens", "schemas", "maskbench.jsonl.gz")), CompressionMode.Decompress));
        for (var i = 0; file.ReadLine() is { } line; i++)
        {
            if (i % Every == 0)
            {
                yield return line;
            }
        }
    }
}
