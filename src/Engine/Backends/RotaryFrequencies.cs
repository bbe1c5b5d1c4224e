namespace KvPrefetch.Engine.Backends;

/// <summary>Angles of rotary position embedding: element i of a head turns with element i + n, n = <c>Inverse.Length</c>, by position * Inverse[i].</summary>
/// <param name="Inverse">Inverse frequencies, <c>[rotaryDim / 2]</c>.</param>
/// <param name="Magnitude">Factor on cosine and sine (yarn's attention factor; 1 otherwise).</param>
/// <param name="Dynamic">Set when the base grows with the length of the sequence.</param>
internal sealed record RotaryFrequencies(float[] Inverse, float Magnitude, DynamicBase? Dynamic = null);

/// <summary>Dynamic NTK scaling: beyond <paramref name="OriginalLength"/> the base is Theta * (Factor * length / OriginalLength - (Factor - 1)) ^ (d / (d - 2)).</summary>
internal sealed record DynamicBase(double Theta, double Factor, int OriginalLength)
{
    /// <summary>Inverse frequency <paramref name="i"/> of a head with <paramref name="rotaryDim"/> turning elements in a sequence of <paramref name="length"/> tokens.</summary>
    public float Inverse(int i, int rotaryDim, int length)
    {
        var growth = (Factor * Math.Max(length, OriginalLength) / OriginalLength) - (Factor - 1);
        var theta = Theta * Math.Pow(growth, rotaryDim / (double)(rotaryDim - 2));
        return (float)(1.0 / Math.Pow(theta, 2.0 * i / rotaryDim));
    }
}
