using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>Small tokenizers made in the test.</summary>
internal static class Json
{
    /// <summary>Byte-level BPE over all 256 bytes, with the merges "h e", "he l" and so on of a few words.</summary>
    public static JsonObject ByteLevel(params string[] words)
    {
        var vocab = new JsonObject();
        for (var b = 0; b < 256; b++)
        {
            vocab[ByteAlphabet.ToChar((byte)b).ToString()] = b;
        }

        var merges = new JsonArray();
        foreach (var word in words)
        {
            for (var length = 2; length <= word.Length; length++)
            {
                if (!vocab.ContainsKey(word[..length]))
                {
                    vocab[word[..length]] = vocab.Count;
                    merges.Add($"{word[..(length - 1)]} {word[length - 1]}");
                }
            }
        }

        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true },
            ["post_processor"] = null,
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject { ["type"] = "BPE", ["dropout"] = null, ["unk_token"] = null, ["fuse_unk"] = false, ["byte_fallback"] = false, ["vocab"] = vocab, ["merges"] = merges },
        };
    }

    public static JsonObject With(this JsonObject json, string path, JsonNode? value)
    {
        var parts = path.Split('.');
        var node = json;
        foreach (var part in parts[..^1])
        {
            node = node[part]!.AsObject();
        }

        node[parts[^1]] = value;
        return json;
    }

    public static JsonObject Added(this JsonObject json, string content, bool special = true, bool singleWord = false, bool left = false, bool right = false, bool normalized = false)
    {
        json["added_tokens"]!.AsArray().Add(new JsonObject
        {
            ["id"] = 100_000, ["content"] = content, ["single_word"] = singleWord, ["lstrip"] = left, ["rstrip"] = right, ["normalized"] = normalized, ["special"] = special,
        });
        return json;
    }

    public static Tokenizer Load(this JsonObject json) => Parse(json.ToJsonString());

    public static Tokenizer Parse(string json) => Tokenizer.Parse(Encoding.UTF8.GetBytes(json));

    public static JsonNode Node(string json) => JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = 1000 })!;
}
