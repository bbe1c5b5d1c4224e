using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Engine.Layers;

/// <summary>Rotary position embedding: from what config.json says to inverse frequencies. Computed in float32 where the reference implementation does, so that angles agree at long positions.</summary>
internal static class RotaryPositions
{
    /// <param name="rope">What the config says.</param>
    /// <param name="rotaryDim">Turning elements of a head.</param>
    public static RotaryFrequencies Frequencies(RopeParameters rope, int rotaryDim)
    {
        var inverse = new float[rotaryDim / 2];
        for (var i = 0; i < inverse.Length; i++)
        {
            inverse[i] = 1f / MathF.Pow((float)rope.Theta, 2 * i / (float)rotaryDim);
        }

        switch (rope.Kind)
        {
            case RopeKind.Default:
                return new RotaryFrequencies(inverse, 1f);
            case RopeKind.Linear:
                return new RotaryFrequencies([.. inverse.Select(f => f / (float)rope.Factor)], 1f);
            case RopeKind.Dynamic:
                return new RotaryFrequencies(inverse, 1f, new DynamicBase(rope.Theta, rope.Factor, rope.OriginalMaxPositions));
            case RopeKind.Llama3:
                return new RotaryFrequencies([.. inverse.Select(f => Llama3(rope, f))], 1f);
            case RopeKind.Yarn:
                return Yarn(rope, inverse, rotaryDim);
            case RopeKind.LongRope:
                return new RotaryFrequencies(
                    Divided(inverse, rope.ShortFactors, "short_factor"),
                    (float)rope.AttentionFactor,
                    Long: new LongFrequencies(Divided(inverse, rope.LongFactors, "long_factor"), rope.OriginalMaxPositions));
            case RopeKind.Proportional:
                var turning = (int)(rope.PartialRotaryFactor * rotaryDim / 2);
                return new RotaryFrequencies([.. inverse.Select((f, i) => i < turning ? f / (float)rope.Factor : 0)], 1f);
            default:
                throw new UnsupportedModelException($"Rope kind {rope.Kind} is not implemented.", "rope_parameters");
        }
    }

    private static float[] Divided(float[] inverse, IReadOnlyList<double> factors, string field) => factors.Count == inverse.Length
        ? [.. inverse.Select((f, i) => 1f / ((float)factors[i] / f))]
        : throw new ModelFormatException("InvalidField", $"rope_parameters.{field} has {factors.Count} numbers; it must have one for each of the {inverse.Length} turning pairs of a head.", "config.json", "rope_parameters." + field);

    /// <summary>Long wavelengths are stretched by the factor, short ones kept, those between blended.</summary>
    private static float Llama3(RopeParameters rope, float frequency)
    {
        double wavelength = 2 * Math.PI / frequency, original = rope.OriginalMaxPositions, low = rope.LowFrequencyFactor, high = rope.HighFrequencyFactor;
        if (wavelength < original / high)
        {
            return frequency;
        }

        if (wavelength > original / low)
        {
            return (float)(frequency / rope.Factor);
        }

        var smooth = ((original / wavelength) - low) / (high - low);
        return (float)(((1 - smooth) * frequency / rope.Factor) + (smooth * frequency));
    }

    /// <summary>Dimensions that turn often keep their frequency, those that turn rarely are stretched, with a ramp between (arXiv 2309.00071).</summary>
    private static RotaryFrequencies Yarn(RopeParameters rope, float[] inverse, int rotaryDim)
    {
        double CorrectionDim(double turns) => rotaryDim * Math.Log(rope.OriginalMaxPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));

        double low = CorrectionDim(rope.BetaFast), high = CorrectionDim(rope.BetaSlow);
        if (rope.Truncate)
        {
            low = Math.Floor(low);
            high = Math.Ceiling(high);
        }

        low = Math.Max(low, 0);
        high = Math.Min(high, rotaryDim - 1);
        high = low == high ? high + 0.001 : high;
        var scaled = new float[inverse.Length];
        for (var i = 0; i < scaled.Length; i++)
        {
            var ramp = Math.Clamp((i - low) / (high - low), 0, 1);
            scaled[i] = (float)((inverse[i] / rope.Factor * ramp) + (inverse[i] * (1 - ramp)));
        }

        return new RotaryFrequencies(scaled, (float)rope.AttentionFactor);
    }
}
