using System.Diagnostics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>The conformance of the CPU in processes whose runtime was told to leave instruction sets alone: what older processors run.</summary>
public sealed class InstructionSetTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", "DOTNET_EnableAVX512F")]
    [InlineData("DOTNET_EnableAVX2", "DOTNET_EnableFMA")]
    [InlineData("DOTNET_EnableHWIntrinsic")]
    public async Task ConformanceHoldsWithout(params string[] switches)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
        {
            start.ArgumentList.Add(typeof(InstructionSetTests).Assembly.Location);
        }
        else if (!start.FileName.Contains("Backend.Conformance", StringComparison.Ordinal))
        {
            // Under a test host: this project is an executable of its own.
            start.FileName = Path.ChangeExtension(typeof(InstructionSetTests).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null)!;
        }

        start.ArgumentList.Add("-class");
        start.ArgumentList.Add(typeof(CpuOneThreadConformance).FullName!);
        foreach (var other in (Type[])[typeof(CpuFastConformance), typeof(CpuBFloat16CacheConformance), typeof(CpuInt8CacheConformance), typeof(CpuAttentionTests)])
        {
            start.ArgumentList.Add("-class");
            start.ArgumentList.Add(other.FullName!);
        }

        start.ArgumentList.Add("-class");
        start.ArgumentList.Add(typeof(GroupedKernelTests).FullName!);
        start.Environment[GroupedKernelTests.BitsVariable] = GroupedKernelTests.Bits();
        foreach (var name in switches)
        {
            start.Environment[name] = "0";
        }

        using var child = Process.Start(start)!;
        var text = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);
        output.WriteLine(text);
        Assert.Equal(0, child.ExitCode);
        Assert.Contains("Failed: 0", text, StringComparison.Ordinal);
    }
}
