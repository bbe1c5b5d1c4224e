using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Functions of a whole vector, made of what the lanes can do.</summary>
internal static class Functions<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>1 - 2 / (e^2x + 1): exact at both ends, absolute error below 1e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh(V x)
    {
        var one = TLanes.Broadcast(1f);
        return TLanes.Subtract(one, TLanes.Divide(TLanes.Broadcast(2f), TLanes.Add(TLanes.Exp(TLanes.Add(x, x)), one)));
    }
}

/// <summary>A function of one vector, known when the kernel is compiled.</summary>
internal interface IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    static abstract V Of(V x, in Activation constants);

    /// <summary>What a gated unit multiplies the function by.</summary>
    static virtual V OfUp(V up, in Activation constants) => up;
}

internal readonly struct Silu<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants) =>
        TLanes.Divide(x, TLanes.Add(TLanes.Broadcast(1f), TLanes.Exp(TLanes.Subtract(TLanes.Zero, x))));
}

/// <summary>max(x, 0) - |x| * Phi(-|x|): without cancellation on either side. The tail is a polynomial in 1 / (1 + p|x|) times e^(-x²/2), Abramowitz and Stegun 7.1.26, absolute error below 1e-7.</summary>
internal readonly struct Gelu<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants)
    {
        V magnitude = TLanes.Max(x, TLanes.Subtract(TLanes.Zero, x)), a = TLanes.Multiply(magnitude, TLanes.Broadcast(0.70710678f));
        var t = TLanes.Divide(TLanes.Broadcast(1f), TLanes.MultiplyAdd(TLanes.Broadcast(0.3275911f), a, TLanes.Broadcast(1f)));
        var p = TLanes.MultiplyAdd(TLanes.Broadcast(1.061405429f), t, TLanes.Broadcast(-1.453152027f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Broadcast(1.421413741f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Broadcast(-0.284496736f));
        p = TLanes.MultiplyAdd(p, t, TLanes.Broadcast(0.254829592f));
        var tail = TLanes.Multiply(TLanes.Multiply(TLanes.Multiply(p, t), TLanes.Broadcast(0.5f)), TLanes.Exp(TLanes.Subtract(TLanes.Zero, TLanes.Multiply(a, a))));
        return TLanes.Subtract(TLanes.Max(x, TLanes.Zero), TLanes.Multiply(magnitude, tail));
    }
}

internal readonly struct GeluTanh<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants)
    {
        var cube = TLanes.Multiply(TLanes.Multiply(x, x), x);
        var inner = TLanes.Multiply(TLanes.Broadcast(0.7978845608f), TLanes.MultiplyAdd(cube, TLanes.Broadcast(0.044715f), x));
        return TLanes.Multiply(TLanes.Multiply(TLanes.Broadcast(0.5f), x), TLanes.Add(TLanes.Broadcast(1f), Functions<TLanes, V>.Tanh(inner)));
    }
}

internal readonly struct ReluSquared<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants)
    {
        var positive = TLanes.Max(x, TLanes.Zero);
        return TLanes.Multiply(positive, positive);
    }
}

internal readonly struct ClampedSwish<TLanes, V> : IActivation<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Of(V x, in Activation constants)
    {
        var y = Min(x, constants.Limit);
        return TLanes.Divide(y, TLanes.Add(TLanes.Broadcast(1f), TLanes.Exp(TLanes.Multiply(TLanes.Broadcast(-constants.Alpha), y))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V OfUp(V up, in Activation constants) => TLanes.Add(TLanes.Max(Min(up, constants.Limit), TLanes.Broadcast(-constants.Limit)), TLanes.Broadcast(1f));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Min(V x, float limit) => TLanes.Subtract(TLanes.Zero, TLanes.Max(TLanes.Subtract(TLanes.Zero, x), TLanes.Broadcast(-limit)));
}

/// <summary>output = activation(x), times the other half of the row where the unit is gated.</summary>
internal unsafe struct ActivationKernel<TLanes, V, TActivation> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
    where TActivation : IActivation<TLanes, V>
{
    /// <summary><c>[rows, columns]</c></summary>
    public float* X;
    public long XStride;

    /// <summary>From an element to the one that multiplies its function; 0 for a unit without a gate.</summary>
    public long Up;
    public float* Output;
    public long OutputStride;
    public int Columns;
    public Activation Constants;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            Row(X + (row * XStride), Output + (row * OutputStride), Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row(float* x, float* output, int columns)
    {
        var i = 0;
        for (; i + TLanes.Width <= columns; i += TLanes.Width)
        {
            var y = TActivation.Of(TLanes.Load(x + i), in Constants);
            TLanes.Store(Up == 0 ? y : TLanes.Multiply(y, TActivation.OfUp(TLanes.Load(x + i + Up), in Constants)), output + i);
        }

        for (; i < columns; i++)
        {
            output[i] = (float)Constants.Of(x[i]) * (Up == 0 ? 1f : (float)Constants.OfUp(x[i + Up]));
        }
    }
}

/// <summary>The same for functions that have no vector form: rare ones, computed in double.</summary>
internal unsafe struct ScalarActivationKernel : IParallelJob
{
    public float* X;
    public long XStride;
    public long Up;
    public float* Output;
    public long OutputStride;
    public int Columns;
    public Activation Constants;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            float* x = X + (row * XStride), output = Output + (row * OutputStride);
            for (var i = 0; i < Columns; i++)
            {
                output[i] = (float)Constants.Of(x[i]) * (Up == 0 ? 1f : (float)Constants.OfUp(x[i + Up]));
            }
        }
    }
}
