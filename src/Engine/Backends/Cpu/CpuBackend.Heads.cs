using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products head by head.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    public void LinearByHead(Rows x, int kept, ReadOnlySpan<Projection> heads, Rows output, int rows)
    {
        // The fast arithmetic and packed weights have no form of their own.
        if (heads[0].Matrix.Packed is not null || heads[0].Matrix.Format != WeightFormat.AsStored || _arithmetic == Arithmetic.Fast)
        {
            HeadProducts.OneByOne(this, x, kept, heads, output, rows);
            return;
        }

        switch (heads[0].Matrix.Type)
        {
            case DType.BF16:
                LinearByHead<BFloat16Weights<TLanes, V>>(x, kept, heads, output, rows);
                break;
            case DType.F16:
                LinearByHead<Float16Weights<TLanes, V>>(x, kept, heads, output, rows);
                break;
            default:
                LinearByHead<Float32Weights<TLanes, V>>(x, kept, heads, output, rows);
                break;
        }
    }

    private void LinearByHead<TWeights>(Rows x, int kept, ReadOnlySpan<Projection> heads, Rows output, int rows)
        where TWeights : IWeightReader<V>
    {
        int outputs = heads[0].Matrix.Rows, inputs = heads[0].Matrix.Columns;
        var targets = stackalloc LinearTarget[heads.Length];
        for (var h = 0; h < heads.Length; h++)
        {
            targets[h] = new LinearTarget((byte*)heads[h].Matrix.Data.Address, null, outputs, 0);
        }

        if (TWeights.Interleaved)
        {
            Grow(ref _arranged, (long)rows * heads.Length * inputs);
        }

        var arrange = new ArrangeHeadsKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Output = Floats(output),
            OutputStride = output.Stride,
            Arranged = TWeights.Interleaved ? (float*)_arranged.Address : null,
            Heads = heads.Length,
            Kept = kept,
            Inputs = inputs,
            Outputs = outputs,
        };
        if (TWeights.Interleaved || kept > 0)
        {
            ShareRows(ref arrange, rows, x.Columns);
        }

        var job = new HeadLinearKernel<TLanes, V, TWeights>
        {
            Product = new LinearKernel<TLanes, V, TWeights>
            {
                X = TWeights.Interleaved ? arrange.Arranged : arrange.X + kept,
                XStride = TWeights.Interleaved ? (long)heads.Length * inputs : x.Stride,
                Output = arrange.Output + kept,
                OutputStride = output.Stride,
                Rows = rows,
                Inputs = inputs,
                TargetCount = 1,
            },
            Outputs = outputs,
            InputPitch = TWeights.Interleaved ? inputs : kept + inputs,
            OutputPitch = kept + outputs,
            Targets = targets,
        };
        var all = checked(heads.Length * outputs);
        Share(ref job, all, LinearKernel<TLanes, V, TWeights>.Grain(rows, inputs, all, Threads), (long)rows * all * inputs);
    }
}
