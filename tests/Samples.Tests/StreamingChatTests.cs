using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Samples;

/// <summary>What samples/StreamingChat promises to a shell: output, figures, exit codes.</summary>
public sealed class StreamingChatTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create(new TinyModelOptions { EndsItself = false });

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData("Unknown option '--modl'", "--modl", "x")]
    [InlineData("--seed must be a whole number", "--seed", "x")]
    [InlineData("--temperature must be a number from 0 to 100", "--temperature", "-1")]
    [InlineData("--top-p must be a number", "--top-p", "0")]
    [InlineData("--max-tokens must be a whole number of at least 1", "--max-tokens", "0")]
    [InlineData("--prompt-ids must be a whole number of at least 0", "--prompt-ids", "1,,2")]
    [InlineData("--stats can only be 'json'", "--stats", "xml")]
    [InlineData("--model needs a value", "--model")]
    [InlineData("--raw takes no value", "--raw=1")]
    [InlineData("exclude each other", "--prompt", "a", "--prompt-ids", "1")]
    [InlineData("--system needs the chat template", "--system", "a", "--raw")]
    public async Task A_wrong_option_is_named_in_one_sentence_and_ends_with_2(string sentence, params string[] arguments)
    {
        var (code, output, errors) = await ChatProcess.RunAsync("", arguments);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(sentence, Assert.Single(Lines(errors)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Describe_says_what_the_folder_holds_and_answers_nothing()
    {
        var (code, output, errors) = await ChatProcess.RunAsync("", "--model", _model.Path, "--describe");
        Assert.Equal((0, ""), (code, errors));
        Assert.Equal(["model", "family", "parameters", "layers", "context", "kv cache", "state", "tokenizer", "template", "memory"], Lines(output).Select(l => l[..11].TrimEnd()));
        Assert.Contains("family      llama", output, StringComparison.Ordinal);
        Assert.Contains("full_attention", output, StringComparison.Ordinal);
        Assert.Contains("bytes per sequence", output, StringComparison.Ordinal);
        (code, output, errors) = await ChatProcess.RunAsync("", "--model", Path.Combine(_model.Path, "nowhere"), "--describe");
        Assert.Equal((3, ""), (code, output));
        Assert.Single(Lines(errors));
    }

    [Fact]
    public async Task Without_an_option_the_embedded_model_chats()
    {
        var (code, output, errors) = await ChatProcess.RunAsync("Hello, my name is Odile.\nWhat is my name?\n");
        Assert.True(code == 0, errors);
        var answers = Lines(output);
        Assert.Equal(2, answers.Length);
        Assert.Contains("Odile", answers[1], StringComparison.Ordinal);
        Assert.StartsWith("model       tiny-chat", (await ChatProcess.RunAsync("", "--describe")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_cannot_be_loaded_ends_with_3_and_the_error_s_sentence()
    {
        await File.WriteAllTextAsync(Path.Combine(_model.Path, "config.json"), """{"model_type":"unheard_of"}""", TestContext.Current.CancellationToken);
        foreach (var folder in new[] { _model.Path, Path.Combine(_model.Path, "nowhere") })
        {
            var (code, output, errors) = await ChatProcess.RunAsync("", "--model", folder, "--prompt", "hello");
            Assert.Equal((3, ""), (code, output));
            Assert.DoesNotContain("   at ", Assert.Single(Lines(errors)), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Token_ids_go_in_and_out_of_a_folder_without_a_tokenizer()
    {
        using var model = TinyModel.Create(new TinyModelOptions { Tokenizer = false, ChatTemplate = null, EndsItself = false });
        var (code, output, errors) = await ChatProcess.RunAsync("", "--model", model.Path, "--prompt-ids", "5,6,7", "--ids", "--temperature", "0", "--max-tokens", "9");
        Assert.True(code == 0, errors);

        using var engine = LlmEngine.Load(model.Path);
        using var generation = engine.Submit(new GenerationRequest { Prompt = new[] { 5, 6, 7 }, MaxOutputTokens = 9, Sampling = new SamplingOptions { Temperature = 0 } });
        var expected = new List<int>();
        await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            expected.Add(piece.Token!.Value);
        }

        Assert.Equal(string.Join(',', expected), output.TrimEnd());
        Assert.Equal(2, (await ChatProcess.RunAsync("", "--model", model.Path, "--prompt-ids", "5,6,7")).Code);
        Assert.Equal(2, (await ChatProcess.RunAsync("", "--model", model.Path, "--prompt", "hello")).Code);
    }

    [Fact]
    public async Task A_request_that_the_engine_refuses_ends_with_2()
    {
        var (code, _, errors) = await ChatProcess.RunAsync("", "--model", _model.Path, "--prompt-ids", "5,999999", "--ids");
        Assert.Equal(2, code);
        Assert.Single(Lines(errors));
    }

    [Fact]
    public async Task Statistics_are_one_line_of_JSON_with_exactly_the_named_fields()
    {
        var (code, _, errors) = await ChatProcess.RunAsync("", "--model", _model.Path, "--raw", "--prompt", "hello", "--max-tokens", "7", "--threads", "1", "--stats", "json");
        Assert.True(code == 0, errors);
        using var json = JsonDocument.Parse(Assert.Single(Lines(errors)));
        Assert.Equal(
            ["promptTokens", "generatedTokens", "loadMs", "firstTokenMs", "prefillTokensPerSecond", "decodeTokensPerSecond", "peakMemoryMiB", "backend", "threads"],
            json.RootElement.EnumerateObject().Select(field => field.Name));
        double Number(string field) => json.RootElement.GetProperty(field).GetDouble();
        Assert.Equal((7.0, 1.0), (Number("generatedTokens"), Number("threads")));
        Assert.All(["promptTokens", "loadMs", "firstTokenMs", "prefillTokensPerSecond", "decodeTokensPerSecond", "peakMemoryMiB"], field => Assert.True(Number(field) > 0, field));
        Assert.StartsWith("cpu", json.RootElement.GetProperty("backend").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_statistics_one_line_of_figures_follows_each_answer()
    {
        var (code, _, errors) = await ChatProcess.RunAsync("hello\n\nagain\n", "--model", _model.Path, "--raw", "--ids", "--max-tokens", "3");
        Assert.True(code == 0, errors);
        Assert.Equal(2, Lines(errors).Length);
        Assert.All(Lines(errors), line => Assert.Contains("+ 3 generated tokens, first token after", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_answer()
    {
        string[] arguments = ["--model", _model.Path, "--raw", "--ids", "--prompt", "hello", "--max-tokens", "20", "--temperature", "1.5", "--top-p", "0.9", "--seed"];
        var first = await ChatProcess.RunAsync("", [.. arguments, "1"]);
        var again = await ChatProcess.RunAsync("", [.. arguments, "1"]);
        var other = await ChatProcess.RunAsync("", [.. arguments, "2"]);
        Assert.Equal(20, first.Output.Split(',').Length);
        Assert.Equal(first.Output, again.Output);
        Assert.NotEqual(first.Output, other.Output);
    }

    [Fact]
    public async Task A_piped_chat_answers_line_by_line_and_remembers()
    {
        string[] arguments = ["--model", _model.Path, "--temperature", "0", "--max-tokens", "4", "--stats", "json"];
        var (code, _, errors) = await ChatProcess.RunAsync("hello\nhello\n", arguments);
        Assert.True(code == 0, errors);
        var prompts = Lines(errors).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("promptTokens").GetInt32()).ToArray();
        Assert.Equal(2, prompts.Length);
        Assert.True(prompts[1] > prompts[0], "the second prompt holds the first question and its answer");

        var whole = await ChatProcess.RunAsync("", [.. arguments, "--prompt", "hello", "--system", "Be brief."]);
        Assert.True(whole.Code == 0, whole.Errors);
        Assert.True(JsonDocument.Parse(Assert.Single(Lines(whole.Errors))).RootElement.GetProperty("promptTokens").GetInt32() > prompts[0], "the system message is in the prompt");
    }

    [Fact]
    public async Task Ctrl_C_ends_the_answer_and_not_the_program()
    {
        if (OperatingSystem.IsWindows() || IgnoresInterrupts())
        {
            Assert.Skip("not here: SIGINT cannot be sent to a child, or is ignored by this process and so by its children");
        }

        using var model = TinyModel.Create(new TinyModelOptions { EndsItself = false, ContextLength = 1 << 20 });
        using var chat = ChatProcess.Start("--model", model.Path, "--raw", "--ids");
        for (var answer = 0; answer < 2; answer++)
        {
            await chat.SayAsync("hello\n");
            await chat.ReadToAsync(',');
            using (var kill = Process.Start("kill", ["-INT", chat.Id.ToString(CultureInfo.InvariantCulture)]))
            {
                await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
            }

            await chat.ReadToAsync('\n');
        }

        var (code, _, errors) = await chat.EndAsync();
        Assert.True(code == 0, errors);
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Shells start background jobs with SIGINT ignored; children inherit that.</summary>
    private static bool IgnoresInterrupts()
    {
        const string Field = "SigIgn:";
        var line = File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal)) : null;
        return line is not null && (ulong.Parse(line[Field.Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) & 2) != 0;
    }
}
