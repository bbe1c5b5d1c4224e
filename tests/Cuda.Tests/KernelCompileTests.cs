using System.Globalization;
using System.Text.RegularExpressions;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Without a card, where NVRTC is installed: every kernel compiles for the architectures that count, spills nothing and keeps to its budget of registers.</summary>
public sealed partial class KernelCompileTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(80)]
    [InlineData(90)]
    public void EveryKernelCompilesSpillsNothingAndKeepsToItsBudget(int architecture)
    {
        var nvrtc = Nvrtc.Find(out var reason);
        Assert.SkipWhen(nvrtc is null, reason ?? "");
        var compiler = new KernelCompiler(nvrtc!);
        var failures = new List<string>();

        // What a compiler of CUDA 13 takes from its own cache it has nothing to say about.
        string[] flags = compiler.Version.StartsWith("12.", StringComparison.Ordinal) ? ["--ptxas-options=-v"] : ["--ptxas-options=-v", "--no-cache"];
        foreach (var spec in CudaKernels.All().Where(s => s.MinArchitecture <= architecture))
        {
            try
            {
                var image = compiler.Compile(spec with { Flags = [.. spec.Flags, .. flags] }, architecture, out var log);
                Assert.NotEmpty(image);
                int Figure(Regex pattern) => pattern.Match(log) is { Success: true } match ? int.Parse(match.Groups["figure"].ValueSpan, CultureInfo.InvariantCulture) : -1;
                var (registers, spills) = (Figure(Registers()), Figure(Spills()));
                output.WriteLine($"{spec.Variant}: {registers} registers, {spills} bytes of spills");
                if (registers < 0 || registers > spec.RegisterBudget || spills != 0)
                {
                    failures.Add($"{spec.Variant}: {registers} registers of {spec.RegisterBudget}, {spills} bytes of spills");
                }
            }
            catch (KvPrefetch.Engine.DeviceException e)
            {
                failures.Add(e.Message);
            }
        }

        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    [Fact]
    public void EverySourceHasASpecAndEverySpecASource() =>
        Assert.Equal(KernelSources.Names.Order(StringComparer.Ordinal), CudaKernels.All().Select(s => s.Name).Distinct().Order(StringComparer.Ordinal));

    [GeneratedRegex("Used (?<figure>[0-9]+) registers", RegexOptions.None, 1000)]
    private static partial Regex Registers();

    [GeneratedRegex("(?<figure>[0-9]+) bytes spill stores", RegexOptions.None, 1000)]
    private static partial Regex Spills();
}
