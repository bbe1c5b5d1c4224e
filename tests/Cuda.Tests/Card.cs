using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cuda;

namespace KvPrefetch.Tests.Cuda;

/// <summary>The card of this machine, or a skipped test.</summary>
internal static class Card
{
    public static CudaBackend Open(CudaOptions options)
    {
        try
        {
            return CudaBackend.Create(options);
        }
        catch (DeviceException e) when (e.Code == DeviceException.Unavailable)
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}

public sealed class CardTests
{
    /// <summary>All tests on the card skip where there is none: where there is one, they must not.</summary>
    [Fact]
    public void AMachineWithACardRunsTheTestsOnIt()
    {
        var expected = File.Exists("/dev/nvidia0") || Environment.GetEnvironmentVariable("KVPREFETCH_REQUIRE_CUDA") == "1";
        Assert.SkipUnless(expected, "this machine has no NVIDIA card");
        using var backend = CudaBackend.Create(new CudaOptions());
        Assert.StartsWith("cuda:0", backend.Name, StringComparison.Ordinal);
    }
}
