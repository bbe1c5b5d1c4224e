namespace KvPrefetch.Engine.Backends;

/// <summary>The function of a feed-forward unit.</summary>
internal enum ActivationKind
{
    /// <summary>x * sigmoid(x)</summary>
    Silu,
    /// <summary>x * Phi(x) with the error function</summary>
    Gelu,
    /// <summary>Gelu with tanh in place of the error function</summary>
    GeluTanh,
    /// <summary>max(x, 0)²</summary>
    ReluSquared,
    /// <summary>Positive: P * x² + Beta * x. Otherwise: (e^min(x, Epsilon) - 1 - x) * N + Beta * x.</summary>
    XIelu,
    /// <summary>1 / (1 + e^-x)</summary>
    Sigmoid,
    /// <summary>x</summary>
    Identity,
    /// <summary>y * sigmoid(Alpha * y) where y = min(x, Limit); a gated unit multiplies it by 1 + the other half, clamped to ±Limit.</summary>
    ClampedSwish,
}

/// <summary>A function with its constants: XIelu's are trained, ClampedSwish's are the config's.</summary>
internal readonly record struct Activation(ActivationKind Kind, float P = 0, float N = 0, float Beta = 0, float Epsilon = 0, float Alpha = 1, float Limit = 0)
{
    public static implicit operator Activation(ActivationKind kind) => new(kind);

    /// <summary>Exact to double precision: the specification of the vectorised forms.</summary>
    public double Of(double x) => Kind switch
    {
        ActivationKind.Silu => x / (1 + Math.Exp(-x)),
        ActivationKind.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        ActivationKind.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        ActivationKind.ReluSquared => x > 0 ? x * x : 0,
        ActivationKind.Sigmoid => 1 / (1 + Math.Exp(-x)),
        ActivationKind.Identity => x,
        ActivationKind.XIelu => x > 0 ? (P * x * x) + (Beta * x) : ((Math.Exp(Math.Min(x, Epsilon)) - 1 - x) * N) + (Beta * x),
        ActivationKind.ClampedSwish => Math.Min(x, Limit) / (1 + Math.Exp(-Alpha * Math.Min(x, Limit))),
        _ => throw new NotSupportedException($"activation {Kind}"),
    };

    /// <summary>What a gated unit multiplies the function by.</summary>
    public double OfUp(double up) => Kind == ActivationKind.ClampedSwish ? Math.Clamp(up, -Limit, Limit) + 1 : up;

    /// <summary>Error function: its Taylor series near 0, a continued fraction outside.</summary>
    public static double Erf(double x)
    {
        var a = Math.Abs(x);
        if (a < 2)
        {
            double term = a, sum = a;
            for (var n = 1; n < 60; n++)
            {
                term *= -a * a / n;
                sum += term / ((2 * n) + 1);
            }

            return Math.CopySign(sum * 2 / Math.Sqrt(Math.PI), x);
        }

        var fraction = 0.0;
        for (var n = 60; n > 0; n--)
        {
            fraction = n / 2.0 / (a + fraction);
        }

        return Math.CopySign(1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)), x);
    }
}
