namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>One row of a benchmark: what it is called and what the kernel must at least move and compute.</summary>
/// <param name="Name">Shown in the table.</param>
/// <param name="Rows">Tokens of the step.</param>
/// <param name="Bytes">Bytes read and written once.</param>
/// <param name="Flops">Floating-point operations, a multiplication and an addition counted as two.</param>
public sealed record KernelCase(string Name, int Rows, long Bytes, long Flops, int Outputs = 0, int Inputs = 0, int Context = 0)
{
    public override string ToString() => Name;

    /// <summary>x [rows, inputs] times a bf16 matrix [outputs, inputs].</summary>
    public static KernelCase Linear(string name, int rows, int outputs, int inputs) =>
        new(name, rows, (2L * outputs * inputs) + (4L * rows * (inputs + outputs)), 2L * rows * outputs * inputs, outputs, inputs);
}

/// <summary>Sizes of SmolLM2-135M, the model that the repository measures with.</summary>
internal static class Sizes
{
    public const int Hidden = 576, Heads = 9, KvHeads = 3, HeadDim = 64, Intermediate = 1536, Vocabulary = 49152, PageSize = 16;

    /// <summary>Memory that a benchmark walks through, so that no cache holds it from one call to the next.</summary>
    public const long WorkingSetBytes = 1L << 30;
}
