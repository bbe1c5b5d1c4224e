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
internal unsafe struct PackedLinearKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Inputs, outputs and rows; its targets are made here.</summary>
    public LinearKernel<TLanes, V, Float32Weights<TLanes, V>> Product;

    public PackedTarget* Targets;
    public int TargetCount;

    /// <summary><see cref="PackedRows.ScratchFloats"/> for each thread.</summary>
    public float* Scratch;
    public long ScratchStride;

    /// <summary>Outputs to claim at once.</summary>
    public static int Grain(int outputs, int threads) => Math.Clamp(outputs / (threads * 4) & ~(PackedRows.Panel - 1), PackedRows.Panel, 8 * PackedRows.Panel);

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

/// <summary>The same for all experts that have rows. An item is one output of one such expert.</summary>
internal unsafe struct PackedExpertKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>The product as it would be for the first place; rows and targets are each expert's.</summary>
    public PackedLinearKernel<TLanes, V> Product;

    /// <summary>Outputs of an expert, over its targets side by side.</summary>
    public int Outputs;

    /// <summary><c>[experts][targets]</c></summary>
    public PackedTarget* Targets;

    /// <summary><c>[experts + 1]</c>: first place of each expert.</summary>
    public int* Starts;

    /// <summary>Experts that have rows.</summary>
    public int* Touched;

    public readonly void Run(int from, int end, int thread)
    {
        var product = Product;
        while (from < end)
        {
            var expert = Touched[from / Outputs];
            int first = from % Outputs, last = Math.Min(Outputs, first + end - from);
            product.Product.X = Product.Product.X + (Starts[expert] * Product.Product.XStride);
            product.Product.Output = Product.Product.Output + (Starts[expert] * Product.Product.OutputStride);
            product.Product.Rows = Starts[expert + 1] - Starts[expert];
            product.Targets = Targets + ((long)expert * Product.TargetCount);
            product.Run(first, last, thread);
            from += last - first;
        }
    }
}
