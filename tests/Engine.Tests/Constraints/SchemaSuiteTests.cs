using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Constraints;

/// <summary>The official JSON Schema test suite, drafts 2020-12 and 7. What is refused, and where we answer otherwise, stands in schema-suite.txt: nothing may be added to it without being seen.</summary>
public sealed class SchemaSuiteTests
{
    private static string RatchetFile => Path.Combine(TestAssets.Repository ?? "", "tests", "Engine.Tests", "Constraints", "schema-suite.txt");

    [Fact]
    public void The_official_suite_is_answered_as_the_ratchet_file_says()
    {
        using var file = new GZipStream(File.OpenRead(Path.Combine(TestAssets.Shared, "goldens", "schemas", "suite.json.gz")), CompressionMode.Decompress);
        using var suite = JsonDocument.Parse(file, new JsonDocumentOptions { MaxDepth = 256 });
        var found = new StringBuilder();
        int groups = 0, refused = 0, answers = 0, wrong = 0;
        foreach (var part in suite.RootElement.EnumerateObject().OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            foreach (var group in part.Value.EnumerateArray())
            {
                groups++;
                var title = $"{part.Name} | {OneLine(group.GetProperty("description").GetString()!)}";
                Grammar grammar;
                try
                {
                    grammar = Grammar.FromJsonSchema(WithDraft(group.GetProperty("schema"), part.Name));
                }
                catch (GrammarException e) when (e.Reason == GrammarError.Unsatisfiable)
                {
                    answers += group.GetProperty("tests").GetArrayLength();
                    foreach (var test in group.GetProperty("tests").EnumerateArray().Where(t => t.GetProperty("valid").GetBoolean()))
                    {
                        wrong++;
                        found.Append($"refused though valid: {title} | {OneLine(test.GetProperty("description").GetString()!)}\n");
                    }

                    continue;
                }
                catch (GrammarException e)
                {
                    refused++;
                    found.Append($"not supported: {title} | {e.Code}\n");
                    continue;
                }

                foreach (var test in group.GetProperty("tests").EnumerateArray())
                {
                    answers++;
                    var valid = test.GetProperty("valid").GetBoolean();
                    if (grammar.Accepts(Encoding.UTF8.GetBytes(test.GetProperty("data").GetRawText())) != valid)
                    {
                        wrong++;
                        found.Append($"{(valid ? "refused though valid" : "accepted though not valid")}: {title} | {OneLine(test.GetProperty("description").GetString()!)}\n");
                    }
                }
            }
        }

        var report = $"{groups} schemas, {refused} not supported; {answers} answers, {wrong} otherwise.\n{found}";
        if (Environment.GetEnvironmentVariable("KVPREFETCH_APPROVE") == "1")
        {
            File.WriteAllText(RatchetFile, report);
        }

        Assert.Equal(File.ReadAllText(RatchetFile), report);
    }

    private static JsonElement WithDraft(JsonElement schema, string name)
    {
        if (!name.StartsWith("draft7", StringComparison.Ordinal) || schema.ValueKind != JsonValueKind.Object || schema.TryGetProperty("$schema", out _))
        {
            return schema;
        }

        var node = JsonObject.Create(schema)!;
        node.Insert(0, "$schema", "http://json-schema.org/draft-07/schema#");
        using var document = JsonDocument.Parse(node.ToJsonString(), new JsonDocumentOptions { MaxDepth = 256 });
        return document.RootElement.Clone();
    }

    private static string OneLine(string text) => text.Replace('\n', ' ');
}
