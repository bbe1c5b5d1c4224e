using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

internal readonly struct Sigmoid<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants)
    {
        var one = TLanes.Broadcast(1f);
        return TLanes.Divide(one, TLanes.Add(one, TLanes.Exp(TLanes.Subtract(TLanes.Zero, x))));
    }
}

internal readonly struct Identity<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants) => x;
}

/// <summary>output = x * activation(gate)</summary>
internal unsafe struct MultiplyKernel<TLanes, V, TActivation> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
    where TActivation : IActivation<TLanes, V>
{
    public float* X;
    public long XStride;
    public float* Gate;
    public long GateStride;

    /// <summary>Columns of x that share an element of the gate.</summary>
    public int Span;
    public float* Output;
    public long OutputStride;
    public int Columns;
    public Activation Constants;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            float* x = X + (row * XStride), gate = Gate + (row * GateStride), output = Output + (row * OutputStride);
            if (Span == 1)
            {
                Row(x, gate, output);
            }
            else
            {
                for (var part = 0; part < Columns / Span; part++)
                {
                    Scale(x + ((long)part * Span), (float)Constants.Of(gate[part]), output + ((long)part * Span));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Scale(float* x, float factor, float* output)
    {
        var i = 0;
        for (var all = TLanes.Broadcast(factor); i + TLanes.Width <= Span; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(x + i), all), output + i);
        }

        for (; i < Span; i++)
        {
            output[i] = x[i] * factor;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row(float* x, float* gate, float* output)
    {
        var i = 0;
        for (; i + TLanes.Width <= Columns; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(x + i), TActivation.Of(TLanes.Load(gate + i), in Constants)), output + i);
        }

        for (; i < Columns; i++)
        {
            output[i] = x[i] * (float)Constants.Of(gate[i]);
        }
    }
}
