namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Copies what every head keeps, and lays the rest out for the product as <see cref="ArrangeKernel{TLanes,V}"/> does.</summary>
internal unsafe struct ArrangeHeadsKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;
    public float* Output;
    public long OutputStride;

    /// <summary><c>[rows, heads * inputs]</c>; null where the product reads x as it is.</summary>
    public float* Arranged;
    public int Heads;
    public int Kept;
    public int Inputs;
    public int Outputs;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            float* x = X + (row * XStride), output = Output + (row * OutputStride), arranged = Arranged + ((long)row * Heads * Inputs);
            for (var h = 0; h < Heads; h++, x += Kept + Inputs, output += Kept + Outputs, arranged += Inputs)
            {
                new ReadOnlySpan<float>(x, Kept).CopyTo(new Span<float>(output, Kept));
                if (Arranged is not null)
                {
                    ArrangeKernel<TLanes, V>.Arrange(x + Kept, arranged, Inputs);
                }
            }
        }
    }
}

/// <summary>A product for each head of a row. An item is one output of one head, for all rows. Arithmetic is that of <see cref="LinearKernel{TLanes,V,TWeights}"/>.</summary>
internal unsafe struct HeadLinearKernel<TLanes, V, TWeights> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
    where TWeights : IWeightReader<V>
{
    /// <summary>The product as it would be for the first head.</summary>
    public LinearKernel<TLanes, V, TWeights> Product;

    /// <summary>Outputs of a head.</summary>
    public int Outputs;

    /// <summary>Elements from one head's inputs to the next one's.</summary>
    public int InputPitch;

    /// <summary>Elements from one head's outputs to the next one's.</summary>
    public int OutputPitch;

    /// <summary><c>[heads]</c></summary>
    public LinearTarget* Targets;

    public readonly void Run(int from, int end, int thread)
    {
        var product = Product;
        while (from < end)
        {
            var head = from / Outputs;
            int first = from % Outputs, last = Math.Min(Outputs, first + end - from);
            product.X = Product.X + ((long)head * InputPitch);
            product.Output = Product.Output + ((long)head * OutputPitch);
            product.Targets = Targets + head;
            product.Run(first, last, thread);
            from += last - first;
        }
    }
}
