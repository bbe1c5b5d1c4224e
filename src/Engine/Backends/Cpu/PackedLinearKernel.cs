namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>One matrix of a <see cref="PackedLinearKernel{TLanes,V}"/> call.</summary>
/// <param name="matrix"><c>[outputs, inputs]</c></param>
/// <param name="bias"><c>[outputs]</c> or null.</param>
/// <param name="column">First column of this matrix's outputs.</param>
internal readonly unsafe struct PackedTarget(PackedMatrix matrix, float* bias, int column)
{
    public readonly PackedMatrix Matrix = matrix;
    public readonly float* Bias = bias;
    public readonly int Column = column;
}

/// <summary>Products with packed weights: a panel of outputs is unpacked to float32 in the thread's scratch, which stays in the cache, and multiplied there by all rows.
/// Arithmetic is that of <see cref="LinearKernel{TLanes,V,TWeights}"/> with float32 weights, so a row has the same bits in any batch.</summary>
internal unsafe struct PackedLinearKernel<TLanes, V> : IExpertProduct<PackedTarget>
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Inputs, outputs and rows; its targets are made here.</summary>
    public LinearKernel<TLanes, V, Float32Weights<TLanes, V>> Product;

    public PackedTarget* Targets;
    public int TargetCount;

    readonly int IExpertProduct<PackedTarget>.TargetCount => TargetCount;

    /// <summary><see cref="PackedRows.ScratchFloats"/> for each thread.</summary>
    public float* Scratch;
    public long ScratchStride;

    /// <summary>Outputs to claim at once.</summary>
    public static int Grain(int outputs, int threads) => Math.Clamp(outputs / (threads * 4) & ~(PackedRows.Panel - 1), PackedRows.Panel, 8 * PackedRows.Panel);

    public void Take(int place, int rows, PackedTarget* targets)
    {
        Product.X += place * Product.XStride;
        Product.Output += place * Product.OutputStride;
        Product.Rows = rows;
        Targets = targets;
    }

    /// <summary>An item is an output, over all targets side by side.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        var scratch = Scratch + (thread * ScratchStride);
        var product = Product;
        product.TargetCount = 1;
        for (var t = 0; t < TargetCount; t++)
        {
            ref readonly var target = ref Targets[t];
            int first = Math.Max(0, from - target.Column), last = Math.Min(target.Matrix.Rows, end - target.Column);
            for (var n = first; n < last; n += PackedRows.Panel)
            {
                var count = Math.Min(PackedRows.Panel, last - n);
                PackedRows.Unpack(in target.Matrix, n, count, scratch);
                var panel = new LinearTarget((byte*)scratch, target.Bias is null ? null : target.Bias + n, count, target.Column + n);
                product.Targets = &panel;
                product.Run(target.Column + n, target.Column + n + count, thread);
            }
        }
    }
}
