using System.Diagnostics;
using System.Text;

namespace KvPrefetch.Tests.Samples;

/// <summary>samples/ToolCalling and samples/StructuredOutput as a user runs them, on random weights: what grammars enforce holds all the same.</summary>
public sealed class ToolSamplesTests
{
    private static TinyModel Model() => TinyModel.Create(new() { ContextLength = 8192, Std = 0.02 });

    [Fact]
    public async Task AForcedCallIsMadeAndItsResultShown()
    {
        using var model = Model();
        var (code, output, errors) = await RunAsync("ToolCalling", "--model", model.Path, "--force", "--max-tokens", "2000");
        Assert.True(code == 0, errors);
        Assert.Matches(@"\[(Weather\(\[city, [\s\S]*\]\) -> |Now\(\) -> \d{4}-)", output);
    }

    [Fact]
    public async Task ARecordIsFilledFromAText()
    {
        using var model = Model();
        var (code, output, errors) = await RunAsync("StructuredOutput", "--model", model.Path, "--text", "Ada", "--max-tokens", "4000");
        Assert.True(code is 0 or 4, errors);
        if (code == 0)
        {
            Assert.StartsWith("name: ", output, StringComparison.Ordinal);
            Assert.Contains("born: ", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ARealModelFillsTheRecord()
    {
        var (code, output, errors) = await RunAsync("StructuredOutput", "--model", TestAssets.SmolLM2);
        Assert.True(code == 0, errors);
        Assert.Contains("name: ", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ToolCalling")]
    [InlineData("StructuredOutput")]
    public async Task AMissingModelIsSaidInOneSentence(string sample)
    {
        foreach (var arguments in new[] { Array.Empty<string>(), ["--model", "/nowhere/at/all"] })
        {
            var (code, output, errors) = await RunAsync(sample, arguments);
            Assert.Equal(2, code);
            Assert.Empty(output);
            Assert.NotEmpty(errors);
            Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        }
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string sample, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? sample + ".exe" : sample), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, output, await errors);
    }
}
