using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>
/// Logits to token, in this order: constraint, logit bias, penalties, temperature, top-k, top-p, min-p, draw. A filter sets the weights of what it drops to zero; the next
/// one sees the rest as the whole. The likeliest token is never dropped. The result depends on the sequence and its logits alone.
/// Not for concurrent use: all scratch is allocated here, once.
/// </summary>
internal sealed class Sampler(int vocabularySize)
{
    private readonly float[] _weights = new float[vocabularySize];
    private readonly uint[] _mask = new uint[ConstraintMask.Words(vocabularySize)];
    private readonly Penalties _penalties = new(vocabularySize);
    private readonly Selection _selection = new(vocabularySize);
    private readonly Draw _draw = new(vocabularySize);
    private readonly LogProbabilities _logProbabilities = new(vocabularySize);

    /// <summary>Of the token picked last, where its request asks for it; else null.</summary>
    public TokenLogprobs? Logprobs { get; private set; }

    /// <summary>The next token of this sequence.</summary>
    /// <param name="sequence">Its options, its tokens so far.</param>
    /// <param name="logits">One for each token of the vocabulary; overwritten.</param>
    /// <exception cref="NumericalFaultException">NonFiniteLogits: NaN or +infinity. NoValidToken: every token is forbidden.</exception>
    /// <exception cref="GrammarException">The request's grammar allows no token (DeadEnd), or met a limit.</exception>
    public int Pick(Sequence sequence, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (logits.Length != _weights.Length)
        {
            throw new ArgumentException($"{logits.Length} logits were given for a vocabulary of {_weights.Length}.", nameof(logits));
        }

        Logprobs = null;
        if (sequence.Sampling.Logprobs is not { } count)
        {
            return Choose(sequence, logits);
        }

        _logProbabilities.Keep(logits);
        var token = Choose(sequence, logits);
        Logprobs = _logProbabilities.Of(token, count, _weights, _draw);
        return token;
    }

    private int Choose(Sequence sequence, Span<float> logits)
    {
        var options = sequence.Sampling;
        ConstraintMask.Apply(sequence, logits, _mask);
        LogitBias.Apply(sequence, logits);
        _penalties.Apply(sequence, logits);
        var max = Logits.Max(logits);
        if (options.Temperature == 0)
        {
            return Logits.IndexOf(logits, max);
        }

        SoftWeights.Exponentials(logits, max, SoftWeights.Scale(options.Temperature), _weights);
        TopK(logits, max, options);
        TopP(logits, max, options);
        MinP(options);
        return _draw.Pick(_weights, _draw.Sum(_weights), RandomStream.Uniform(options.Seed, sequence.GeneratedCount));
    }

    /// <summary>Keeps the k likeliest tokens, and those that equal the last of them.</summary>
    private void TopK(ReadOnlySpan<float> logits, float max, SamplingOptions options)
    {
        if (options.TopK > 0 && options.TopK < logits.Length)
        {
            var last = _selection.FindByCount(logits, _weights, max, options.Temperature, options.TopK);
            if (last >= 0)
            {
                Selection.Keep(logits, _weights, logits[last], int.MaxValue);
            }
        }
    }

    /// <summary>Keeps the fewest likeliest tokens that together reach the share p; of equal ones, the lower ids first.</summary>
    private void TopP(ReadOnlySpan<float> logits, float max, SamplingOptions options)
    {
        if (options.TopP < 1)
        {
            var last = _selection.FindByWeight(logits, _weights, max, options.Temperature, options.TopP * _draw.Sum(_weights), out _);
            Selection.Keep(logits, _weights, logits[last], last);
        }
    }

    /// <summary>Keeps tokens that are at least this share as likely as the likeliest, whose weight is one.</summary>
    private void MinP(SamplingOptions options)
    {
        if (options.MinP > 0)
        {
            Selection.Keep(_weights, _weights, options.MinP, int.MaxValue);
        }
    }
}
