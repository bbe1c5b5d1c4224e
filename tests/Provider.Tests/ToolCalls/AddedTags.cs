using System.Text.Json.Nodes;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Gives a tiny model's vocabulary the tags of a family as added tokens.</summary>
internal static class AddedTags
{
    /// <summary>The last merges of tokenizer.json make place for them, so that the model fits as it is.</summary>
    public static void Write(string folder, IReadOnlyList<string> tags)
    {
        var path = Path.Combine(folder, "tokenizer.json");
        var file = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        var (vocabulary, merges, added) = (file["model"]!["vocab"]!.AsObject(), file["model"]!["merges"]!.AsArray(), file["added_tokens"]!.AsArray());
        foreach (var tag in tags)
        {
            var (name, id) = vocabulary.Select(entry => (entry.Key, Id: entry.Value!.GetValue<int>())).MaxBy(entry => entry.Id);
            id -= added.Count - 3;
            name = vocabulary.First(entry => entry.Value!.GetValue<int>() == id).Key;
            vocabulary.Remove(name);
            foreach (var merge in merges.Where(m => m![0]!.GetValue<string>() + m[1]!.GetValue<string>() == name || m[0]!.GetValue<string>() == name || m[1]!.GetValue<string>() == name).ToList())
            {
                merges.Remove(merge);
            }

            vocabulary[tag] = id;
            added.Add((JsonNode)new JsonObject
            {
                ["id"] = id,
                ["content"] = tag,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = tag.Contains('|', StringComparison.Ordinal),
            });
        }

        File.WriteAllText(path, file.ToJsonString());
    }
}
