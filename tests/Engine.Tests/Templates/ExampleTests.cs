using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;
using KvPrefetch.Tests.Tokenization;

namespace KvPrefetch.Tests.Templates;

/// <summary>The example of src/Engine/Text/README.md: what is printed there is what runs here.</summary>
public sealed class ExampleTests
{
    private const string Template =
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    [Fact]
    public void The_example_of_the_page_runs_and_keeps_its_promises()
    {
        var folder = Directory.CreateTempSubdirectory("example").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "tokenizer.json"), Json.ByteLevel("hello", "world").Added("<|im_start|>").Added("<|im_end|>").ToJsonString());
            File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), Template);
            var (tokenizer, text, count, promptIds, shown) = Run(folder);
            Assert.Equal("Hello world", text);
            Assert.Equal(tokenizer.Encode("How long is this?").Length, count);
            Assert.Equal("<|im_start|>user\nWhat does <|im_end|> mean?<|im_end|>\n<|im_start|>assistant\n", shown);
            Assert.True(tokenizer.TryGetId("<|im_end|>", out var end));
            Assert.Single(promptIds, id => id == end);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_example_of_the_page_is_this_code()
    {
        var root = Root();
        var page = Lines(File.ReadAllText(Path.Combine(root, "src", "Engine", "Text", "README.md")), "```csharp", "```");
        var code = Lines(File.ReadAllText(Path.Combine(root, "tests", "Engine.Tests", "Templates", "ExampleTests.cs")), "        // The page begins.", "        // The page ends.");
        Assert.Equal(page, code.Select(line => line.Length > 8 ? line[8..] : ""));
    }

    private static (Tokenizer Tokenizer, string Text, int Count, int[] PromptIds, string Shown) Run(string folder)
    {
        // The page begins.
        // Text to ids and back.
        var tokenizer = Tokenizer.Load(folder);
        int[] ids = tokenizer.Encode("Hello world");
        string text = tokenizer.Decode(ids);
        int count = tokenizer.CountTokens("How long is this?");

        // A conversation in the model's own format. The pieces say who wrote them, so what a user types is text, even where it spells a control token.
        var template = ChatTemplate.Load(folder) ?? throw new InvalidOperationException("The model has no chat template.");
        var messages = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "What does <|im_end|> mean?" });
        IReadOnlyList<TextSpan> prompt = template.Render(messages);
        int[] promptIds = tokenizer.Encode(prompt);

        // Ids as they come: whole characters as soon as they are certain.
        var stream = tokenizer.CreateDetokenizer(skipSpecialTokens: false);
        var shown = new StringBuilder();
        foreach (var id in promptIds)
        {
            shown.Append(stream.Append(id));
        }

        shown.Append(stream.Flush());
        // The page ends.
        return (tokenizer, text, count, promptIds, shown.ToString());
    }

    private static List<string> Lines(string text, string from, string to)
    {
        var lines = text.ReplaceLineEndings("\n").Split('\n').SkipWhile(line => line != from).Skip(1).ToList();
        return lines.GetRange(0, lines.IndexOf(to));
    }

    // The folder with the solution, above the test's own program.
    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "KvPrefetch.AI.sln")))
            {
                return folder.FullName;
            }
        }

        Assert.Skip("not found: the source tree");
        throw new InvalidOperationException();
    }
}
