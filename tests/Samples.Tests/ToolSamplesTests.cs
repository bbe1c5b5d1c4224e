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

    [Fact]
    public async Task WithoutAnOptionTheEmbeddedModelCallsAFunctionAndAnswersWithItsResult()
    {
        var (code, output, errors) = await RunAsync("ToolCalling");
        Assert.True(code == 0, errors);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("[Weather([city, Oslo]) -> Oslo: 4 °C, sunny]", lines[0]);
        Assert.Contains("4", lines[1], StringComparison.Ordinal);
        Assert.Contains("sunny", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAnOptionTheEmbeddedModelFillsTheRecord()
    {
        var (code, output, errors) = await RunAsync("StructuredOutput");
        Assert.True(code == 0, errors);
        Assert.Equal("name: Ada Lovelace\nborn: 1815\ncity: London\nlikes: mathematics, music, horses\n", output.ReplaceLineEndings("\n"));
    }

    [Fact]
    public async Task WithoutAnOptionTheHostAsksTheEmbeddedModel()
    {
        var (code, output, errors) = await RunAsync("DependencyInjection");
        Assert.True(code == 0, errors);
        Assert.Contains("Model tiny-chat", output, StringComparison.Ordinal);
        Assert.Contains("Prefetch", output, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("ToolCalling")]
    [InlineData("StructuredOutput")]
    [InlineData("DependencyInjection")]
    public async Task AMissingModelIsSaidInOneSentence(string sample)
    {
        var (code, output, errors) = await RunAsync(sample, "--model", "/nowhere/at/all");
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.NotEmpty(errors);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
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
