using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Logits to token, in the order: temperature, draw. Temperature 0 takes the likeliest token, the lowest id where several are.
/// Not for concurrent use: all scratch is allocated once.</summary>
internal sealed class Sampler(int vocabularySize)
{
    private readonly float[] _weights = new float[vocabularySize];
    private readonly Draw _draw = new(vocabularySize);

    /// <summary>The next token of this sequence.</summary>
    /// <param name="sequence">Its options, its tokens so far.</param>
    /// <param name="logits">One for each token of the vocabulary; overwritten.</param>
    /// <exception cref="NumericalFaultException">NonFiniteLogits: NaN or +infinity. NoValidToken: every token is forbidden.</exception>
    public int Pick(Sequence sequence, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (logits.Length != _weights.Length)
        {
            throw new ArgumentException($"{logits.Length} logits were given for a vocabulary of {_weights.Length}.", nameof(logits));
        }

        var options = sequence.Sampling;
        var max = Logits.Max(logits);
        if (options.Temperature == 0)
        {
            return Logits.IndexOf(logits, max);
        }

        // The smallest temperatures would give 0 * infinity.
        Logits.Exponentials(logits, max, Math.Min(1 / options.Temperature, float.MaxValue), _weights);
        var total = _draw.Sum(_weights);
        return _draw.Pick(_weights, total, RandomStream.Uniform(options.Seed, sequence.GeneratedCount));
    }
}
