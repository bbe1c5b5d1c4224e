using System.Text.Json.Nodes;
using KvPrefetch.AI;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Provider;

/// <summary>Prompts by a template alone, without a model: the tokenizer is a tiny one whose decoding gives the rendered text back.</summary>
internal static class Templates
{
    private static readonly Lazy<Tokenizer> Bytes = new(() =>
    {
        using var model = TinyModel.Create();
        return Tokenizer.Load(model.Path);
    });

    public static Tokenizer Tokenizer => Bytes.Value;

    /// <summary>Names of the real templates, or one empty name where they are not there.</summary>
    public static TheoryData<string> Names
    {
        get
        {
            var folder = Folder(Environment.GetEnvironmentVariable("KVPREFETCH_SHARED") ?? Path.Combine(TestAssets.Repository ?? ".", "..", "shared"));
            return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.jinja").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)] : [""];
        }
    }

    public static ChatTemplate Real(string name)
    {
        var path = Path.Combine(Folder(TestAssets.Shared), name + ".jinja");
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal) { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["pad_token"] = "<pad>", ["unk_token"] = "<unk>" };
        return ChatTemplate.Parse(File.ReadAllText(path), tokens);
    }

    public static (PromptFormat Format, List<string> Log) Format(string template) => Format(ChatTemplate.Parse(template));

    public static (PromptFormat Format, List<string> Log) Format(ChatTemplate template)
    {
        var log = new List<string>();
        return (PromptFormat.For(Tokenizer, template, log.Add), log);
    }

    public static string Text(PromptFormat format, string messages, string? tools = null, string? variables = null) =>
        Tokenizer.Decode(format.Write(Json<JsonArray>(messages)!, Json<JsonArray>(tools), Json<JsonObject>(variables)).Tokens);

    public static T? Json<T>(string? text)
        where T : JsonNode => text is null ? null : (T)JsonNode.Parse(text)!;

    private static string Folder(string shared) => Path.Combine(shared, "goldens", "templates");
}
