using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The matrices of one launch, side by side.</summary>
[InlineArray(Count)]
internal struct Targets
{
    public const int Count = 8;
    private Target _first;
}
