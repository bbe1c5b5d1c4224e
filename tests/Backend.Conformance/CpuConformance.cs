using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Conformance;

public sealed class ReferenceConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => new ReferenceBackend();
}

public sealed class Cpu128Conformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => CpuBackend.Create(2, VectorWidth.Bits128);
}

public sealed class Cpu256Conformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => CpuBackend.Create(3, VectorWidth.Bits256);
}

public sealed class Cpu512Conformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => CpuBackend.Create(2, VectorWidth.Bits512);
}

public sealed class CpuOneThreadConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override IBackend Create() => CpuBackend.Create(1);
}

/// <summary>Activations rounded to bfloat16, assembled products where the machine has them.</summary>
public sealed class CpuFastConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override bool RoundsActivations => true;

    private protected override IBackend Create() => CpuBackend.Create(2, arithmetic: Arithmetic.Fast);
}

/// <summary>The same by managed kernels.</summary>
public sealed class CpuFastManagedConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override bool RoundsActivations => true;

    private protected override IBackend Create() => CpuBackend.Create(2, arithmetic: Arithmetic.Fast, kernels: ProductKernels.Managed);
}

/// <summary>The same by vdpbf16ps, whether it is fast here or not.</summary>
public sealed class CpuFastDotsConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override bool RoundsActivations => true;

    private protected override IBackend Create() => CpuBackend.Create(3, arithmetic: Arithmetic.Fast, kernels: ProductKernels.VectorDots);
}
