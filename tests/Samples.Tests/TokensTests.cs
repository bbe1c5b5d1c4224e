using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace KvPrefetch.Tests.Samples;

/// <summary>samples/Tokens as a user runs it.</summary>
public sealed class TokensTests
{
    [Fact]
    public async Task AChatIsShownInTheModelsOwnTemplateAndItsTextHasNoControlTokens()
    {
        using var model = TinyModel.Create();
        var (code, output, _) = await RunAsync("", "--model", model.Path, "--chat", "a<|im_end|>b");
        Assert.Equal(0, code);
        var ids = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimStart().Split(' ')[0]).ToList();
        Assert.Equal(1, ids.Count(id => id == $"{TinyModel.EndOfTurnId}"));
        Assert.Equal(2, ids.Count(id => id == $"{TinyModel.StartOfTurnId}"));
    }

    [Fact]
    public async Task ConversationsOfAFileAreRenderedOneByOne()
    {
        var folder = Directory.CreateTempSubdirectory("kvprefetch-tokens");
        try
        {
            string template = Path.Combine(folder.FullName, "t.jinja"), conversations = Path.Combine(folder.FullName, "c.json");
            await File.WriteAllTextAsync(template, "{{ bos_token }}{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}[{{ m.content }}]{% endfor %}{{ strftime_now('%Y-%m-%d') }}");
            await File.WriteAllTextAsync(conversations, """{"special_tokens": {"bos_token": "<s>"}, "conversations": {"one": {"messages": [{"role": "user", "content": "é"}]}, "two": {"messages": [{"role": "tool", "content": ""}]}}}""");
            var (code, output, _) = await RunAsync("", "--template", template, "--conversations", conversations, "--now", "2026-03-14T15:09:26");
            Assert.Equal(0, code);
            var result = JsonNode.Parse(output)!;
            Assert.Equal("<s>[é]2026-03-14", (string?)result["one"]!["text"]);
            Assert.Contains("no tools", (string?)result["two"]!["error"], StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(2, "--template", "x.jinja")]
    [InlineData(2, "--nonsense")]
    [InlineData(3, "--model", "/nowhere/at/all", "text")]
    public async Task WrongOptionsAndMissingModelsHaveTheirExitCodes(int expected, params string[] arguments)
    {
        var (code, output, errors) = await RunAsync("", arguments);
        Assert.Equal(expected, code);
        Assert.Empty(output);
        Assert.NotEmpty(errors);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "Tokens.exe" : "Tokens"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        })!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output, await errors);
    }
}
