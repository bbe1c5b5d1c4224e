using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Forbids the tokens that a request's constraint does not allow. Stop tokens are allowed where the text may end, and nowhere else.</summary>
internal static class ConstraintMask
{
    /// <exception cref="GrammarException">No token is left that could come next (DeadEnd), or a limit was reached.</exception>
    public static void Apply(Sequence sequence, Span<float> logits)
    {
        if (sequence.Constraint is not { } constraint)
        {
            return;
        }

        var allowed = constraint.Allowed(out var canEnd);
        var any = false;
        Span<float> kept = stackalloc float[Math.Min(sequence.StopTokens.Length, 256)];
        for (var i = 0; i < kept.Length; i++)
        {
            kept[i] = logits[sequence.StopTokens[i]];
        }

        for (var word = 0; word * 32 < logits.Length; word++)
        {
            var bits = word < allowed.Length ? allowed[word] : 0;
            var part = logits[(word * 32)..Math.Min(logits.Length, (word * 32) + 32)];
            any |= bits != 0;
            if (bits == 0)
            {
                part.Fill(float.NegativeInfinity);
            }
            else if (bits != uint.MaxValue)
            {
                for (var i = 0; i < part.Length; i++)
                {
                    part[i] = ((bits >> i) & 1) != 0 ? part[i] : float.NegativeInfinity;
                }
            }
        }

        for (var i = 0; i < kept.Length; i++)
        {
            logits[sequence.StopTokens[i]] = canEnd ? kept[i] : float.NegativeInfinity;
        }

        if (!any && !(canEnd && kept.Length > 0))
        {
            throw new GrammarException(GrammarError.DeadEnd, canEnd
                ? "The text is complete under its grammar, and the model has no token to end it with."
                : "No token of the vocabulary can come next under the grammar.");
        }
    }
}
