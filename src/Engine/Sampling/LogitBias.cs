using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Adds what the request gave for single tokens; -infinity forbids one.</summary>
internal static class LogitBias
{
    public static void Apply(Sequence sequence, Span<float> logits)
    {
        foreach (var (token, bias) in sequence.LogitBias)
        {
            // The caller's dictionary can have changed between its validation and its copy.
            if ((uint)token < (uint)logits.Length)
            {
                logits[token] += bias;
            }
        }
    }
}
