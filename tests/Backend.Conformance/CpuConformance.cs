using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

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

/// <summary>Keys and values in two bytes. A rotation that differs in its last bit may round to the neighbour: hence the slack, which attention without rotation does without.</summary>
public sealed class CpuBFloat16CacheConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override double Slack => 400;
    private protected override DType Cache => DType.BF16;

    private protected override IBackend Create() => CpuBackend.Create(2, cache: DType.BF16);
}

/// <summary>Keys and values in one byte.</summary>
public sealed class CpuInt8CacheConformance(ITestOutputHelper output) : BackendConformance(output)
{
    private protected override double Slack => 2000;
    private protected override DType Cache => DType.I8;

    private protected override IBackend Create() => CpuBackend.Create(3, VectorWidth.Bits256, cache: DType.I8);
}
