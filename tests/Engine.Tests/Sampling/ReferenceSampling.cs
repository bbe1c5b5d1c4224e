using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Sampling;

/// <summary>The sampling rules as their authors wrote them down, in double, with sorting: what the sampler is measured against.</summary>
internal static class ReferenceSampling
{
    /// <summary>Probability of each token, and how far the nearest decision of top-p or min-p was from tipping over.</summary>
    public static (double[] Probabilities, double Margin) Probabilities(ReadOnlySpan<float> raw, SamplingOptions options, ReadOnlySpan<int> prompt, ReadOnlySpan<int> generated)
    {
        var logits = raw.ToArray().Select(l => (double)l).ToArray();
        foreach (var (token, bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            logits[token] += bias;
        }

        int[] seen = [.. prompt, .. generated];
        foreach (var token in seen.Distinct())
        {
            logits[token] = logits[token] > 0 ? logits[token] / options.RepetitionPenalty : logits[token] * options.RepetitionPenalty;
        }

        foreach (var group in generated.ToArray().GroupBy(t => t))
        {
            logits[group.Key] -= (group.Count() * options.FrequencyPenalty) + options.PresencePenalty;
        }

        var order = Enumerable.Range(0, logits.Length).OrderByDescending(t => logits[t]).ThenBy(t => t).ToArray();
        if (options.Temperature == 0)
        {
            var certain = new double[logits.Length];
            certain[order[0]] = 1;
            return (certain, 1);
        }

        var kept = options.TopK == 0 ? order : order.Where(t => logits[t] >= logits[order[Math.Min(options.TopK, order.Length) - 1]]).ToArray();
        var margin = 1.0;
        var weights = Softmax(logits, kept, options.Temperature);
        if (options.TopP < 1)
        {
            var sum = 0.0;
            var count = 0;
            while (count < kept.Length && sum < options.TopP)
            {
                sum += weights[kept[count++]];
                margin = Math.Min(margin, Math.Abs(sum - options.TopP));
            }

            kept = kept[..count];
            weights = Softmax(logits, kept, options.Temperature);
        }

        if (options.MinP > 0)
        {
            var best = weights.Max();
            margin = Math.Min(margin, kept.Min(t => Math.Abs((weights[t] / best) - options.MinP)));
            kept = kept.Where(t => weights[t] / best >= options.MinP).ToArray();
            weights = Softmax(logits, kept, options.Temperature);
        }

        return (weights, margin);
    }

    private static double[] Softmax(double[] logits, int[] kept, double temperature)
    {
        var weights = new double[logits.Length];
        var max = kept.Max(t => logits[t]);
        var sum = 0.0;
        foreach (var token in kept)
        {
            weights[token] = Math.Exp((logits[token] - max) / temperature);
            sum += weights[token];
        }

        return weights.Select(w => w / sum).ToArray();
    }
}
