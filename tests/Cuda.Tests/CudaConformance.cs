using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Tests.Cuda;

namespace KvPrefetch.Tests.Conformance;

/// <summary>The card with a cache in float32 and float32 arithmetic: within the tolerances of the CPU, and with the same bits in any batch.</summary>
public sealed class CudaConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => Card.Open(new CudaOptions { KvType = DType.F32, TensorCores = false });
}

/// <summary>What a user gets with BatchInvariant: keys and values in bf16, the decode kernel, float32 products.</summary>
public sealed class CudaBf16Conformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override double Slack => 2000;
    private protected override double LongContextTolerance => 5e-3;
    private protected override bool AttendsAlikeInAnyChunk => false;

    private protected override IBackend Create() => Card.Open(new CudaOptions { BatchInvariant = true });
}
