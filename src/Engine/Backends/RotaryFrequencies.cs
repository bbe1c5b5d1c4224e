namespace KvPrefetch.Engine.Backends;

/// <summary>Which two elements of a head turn together.</summary>
internal enum RotaryPairs
{
    /// <summary>Element i with element i + rotaryDim / 2.</summary>
    Halves,
    /// <summary>Element 2i with element 2i + 1.</summary>
    Neighbours,
}

/// <summary>Angles of rotary position embedding: pair i of a head turns by position * Inverse[i].</summary>
/// <param name="Inverse">Inverse frequencies, <c>[rotaryDim / 2]</c>.</param>
/// <param name="Magnitude">Factor on cosine and sine (yarn's attention factor; 1 otherwise).</param>
/// <param name="Dynamic">Set when the base grows with the length of the sequence.</param>
/// <param name="Long">Set when sequences beyond a length have frequencies of their own.</param>
internal sealed record RotaryFrequencies(float[] Inverse, float Magnitude, DynamicBase? Dynamic = null, LongFrequencies? Long = null)
{
    /// <summary>Inverse frequency of pair <paramref name="i"/> for a token whose rotary length (<see cref="StepInputs.RotaryLengths"/>) is <paramref name="length"/>.</summary>
    public float At(int i, int length) =>
        Dynamic is { } dynamic && length > dynamic.OriginalLength ? dynamic.Inverse(i, 2 * Inverse.Length, length)
        : Long is { } far && length > far.OriginalLength ? far.Inverse[i]
        : Inverse[i];
}

/// <summary>The inverse frequencies of tokens in a sequence longer than <paramref name="OriginalLength"/>.</summary>
internal sealed record LongFrequencies(float[] Inverse, int OriginalLength);

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
