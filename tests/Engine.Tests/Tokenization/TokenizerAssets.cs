using System.IO.Compression;
using System.Text.Json;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>One line of a golden file.</summary>
internal sealed record GoldenLine(string Text, int[] Ids, int[] WithSpecial, string Decoded);

/// <summary>Real tokenizers and what the reference gives for them.</summary>
internal static class TokenizerAssets
{
    /// <summary>The ten names of the goldens.</summary>
    public static IEnumerable<string> Names { get; } = ["smollm2", "minilm", "deepseek_v3", "gemma3", "gpt35turbo", "gptoss", "llama2", "llama3", "llama3_1", "qwen3"];

    public static IEnumerable<TheoryDataRow<string>> Rows => Names.Select(name => new TheoryDataRow<string>(name));

    private static readonly Dictionary<string, Tokenizer> s_loaded = new(StringComparer.Ordinal);

    /// <summary>Folder with the tokenizer.json of a name; skips the test where it is not there.</summary>
    public static string Folder(string name)
    {
        if (name == "smollm2")
        {
            return TestAssets.SmolLM2;
        }

        if (name == "minilm")
        {
            return Path.Combine(TestAssets.Shared, "models", "all-MiniLM-L6-v2");
        }

        var cache = Environment.GetEnvironmentVariable("KVPREFETCH_TOKENIZERS");
        var folder = cache is null ? null : Path.Combine(cache, name);
        if (folder is null || !File.Exists(Path.Combine(folder, "tokenizer.json")))
        {
            Assert.Skip($"not found: tokenizer {name} (run tools/tokenizers/fetch and set KVPREFETCH_TOKENIZERS to its folder)");
        }

        return folder;
    }

    public static Tokenizer Load(string name)
    {
        var folder = Folder(name);
        lock (s_loaded)
        {
            return s_loaded.TryGetValue(name, out var tokenizer) ? tokenizer : s_loaded[name] = Tokenizer.Load(folder);
        }
    }

    public static IEnumerable<GoldenLine> Goldens(string name)
    {
        using var file = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(TestAssets.Shared, "goldens", "tokenizers", name + ".jsonl.gz")), CompressionMode.Decompress));
        while (file.ReadLine() is { } line)
        {
            using var json = JsonDocument.Parse(line);
            var text = json.RootElement.GetProperty("text").GetString()!;
            var ids = Ids(json.RootElement.GetProperty("ids"));
            var decoded = json.RootElement.GetProperty("decoded");
            yield return new GoldenLine(
                text,
                ids,
                json.RootElement.TryGetProperty("with_special", out var special) ? Ids(special) : ids,
                decoded.ValueKind == JsonValueKind.True ? text : decoded.GetString()!);
        }
    }

    private static int[] Ids(JsonElement array) => array.EnumerateArray().Select(id => id.GetInt32()).ToArray();
}
