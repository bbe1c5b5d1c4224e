using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public sealed class ChatTemplateFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("kvprefetch-template-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_folder_without_a_template_has_none()
    {
        Assert.Null(ChatTemplate.Load(folder));
        Write("tokenizer_config.json", """{"bos_token":"<s>","chat_template":null}""");
        Assert.Null(ChatTemplate.Load(folder));
        Assert.Null(ChatTemplate.Load(Path.Combine(folder, "missing")));
    }

    [Fact]
    public void JT18_The_file_goes_before_the_configuration()
    {
        Write("tokenizer_config.json", """{"chat_template":"config"}""");
        Assert.Equal("config", Render());
        Write("chat_template.jinja", "file");
        Assert.Equal("file", Render());
    }

    [Fact]
    public void JT18_Of_named_templates_default_is_used_and_tool_use_when_there_are_tools()
    {
        Write("tokenizer_config.json", """{"chat_template":[{"name":"default","template":"plain"},{"name":"tool_use","template":"{{ tools|length }} tools"},{"name":"rag","template":"x"}]}""");
        Assert.Equal("plain", Render());
        Assert.Equal("1 tools", Render(new JsonArray(new JsonObject())));
        Write("chat_template.jinja", "file");
        Directory.CreateDirectory(Path.Combine(folder, "additional_chat_templates"));
        Write(Path.Combine("additional_chat_templates", "tool_use.jinja"), "file with tools");
        Assert.Equal("file", Render());
        Assert.Equal("file with tools", Render([]));
    }

    [Fact]
    public void JT18_Without_a_default_the_error_lists_the_names()
    {
        Write("tokenizer_config.json", """{"chat_template":[{"name":"tool_use","template":"x"},{"name":"rag","template":"y"}]}""");
        Assert.Contains("(rag, tool_use)", Assert.Throws<ChatTemplateException>(() => ChatTemplate.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_come_from_both_files_as_strings_or_objects_and_count_as_template_text()
    {
        Write("chat_template.jinja", "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ unk_token }}{{ image_token }}|{{ messages[0].content }}");
        Write("tokenizer_config.json", """{"bos_token":{"__type":"AddedToken","content":"<s>"},"eos_token":"</s>","unk_token":null,"extra_special_tokens":{"image_token":"<img>"}}""");
        Write("special_tokens_map.json", """{"eos_token":"<other>","pad_token":{"content":"<pad>","lstrip":false}}""");
        var spans = ChatTemplate.Load(folder)!.Render(new JsonArray(new JsonObject { ["content"] = "<s>" }));
        Assert.Equal([new("<s></s><pad><img>|", Provenance.Template), new("<s>", Provenance.Content)], spans);
    }

    [Theory]
    [InlineData("tokenizer_config.json", "{\"chat_template\":5}")]
    [InlineData("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\"}]}")]
    [InlineData("tokenizer_config.json", "{\"chat_template\":[5]}")]
    [InlineData("tokenizer_config.json", "{\"chat_template\":{\"default\":5}}")]
    [InlineData("tokenizer_config.json", "{\"chat_template\":\"\\ud800\"}")]
    [InlineData("tokenizer_config.json", "[1]")]
    [InlineData("tokenizer_config.json", "{broken")]
    [InlineData("chat_template.jinja", "{% if %}")]
    public void Malformed_files_are_typed_errors(string file, string text)
    {
        Write(file, text);
        Assert.Equal(ChatTemplateError.Syntax, Assert.Throws<ChatTemplateException>(() => ChatTemplate.Load(folder)).Reason);
    }

    [Fact]
    public void JT19_Files_are_UTF8_of_bounded_size_and_a_byte_order_mark_is_dropped()
    {
        File.WriteAllBytes(Path.Combine(folder, "chat_template.jinja"), [.. "\uFEFFgrüß"u8]);
        Assert.Equal("grüß", Render());
        File.WriteAllBytes(Path.Combine(folder, "chat_template.jinja"), [0x61, 0xFF, 0x62]);
        Assert.Contains("byte 1", Assert.Throws<ChatTemplateException>(() => ChatTemplate.Load(folder)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(folder, "chat_template.jinja"), new byte[(3 << 20) + 1]);
        Assert.Equal(ChatTemplateError.Limit, Assert.Throws<ChatTemplateException>(() => ChatTemplate.Load(folder)).Reason);
    }

    [Fact]
    public void The_real_models_template_is_found_with_its_tokens()
    {
        var template = ChatTemplate.Load(TestAssets.SmolLM2);
        Assert.NotNull(template);
        var text = string.Concat(template.Render(new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Hi" })).Select(span => span.Text));
        Assert.EndsWith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", text, StringComparison.Ordinal);
    }

    private string Render(JsonArray? tools = null) => string.Concat(ChatTemplate.Load(folder)!.Render([], new ChatTemplateOptions { Tools = tools }).Select(span => span.Text));

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(folder, file), text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
}
