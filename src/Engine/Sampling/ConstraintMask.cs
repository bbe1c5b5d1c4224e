using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Forbids the tokens that a request's constraint does not allow. Stop tokens are allowed where the text may end, and nowhere else.</summary>
internal static class ConstraintMask
{
    /// <summary>Words of a mask over so many tokens.</summary>
    public static int Words(int vocabularySize) => (vocabularySize + 31) / 32;

    /// <summary>Bit <c>id % 32</c> of word <c>id / 32</c> for every token that may come next.</summary>
    /// <param name="sequence">With a constraint.</param>
    /// <param name="words">As many as <see cref="Words"/> says.</param>
    /// <exception cref="GrammarException">No token is left that could come next (DeadEnd), or a limit was reached.</exception>
    public static void Write(Sequence sequence, Span<uint> words)
    {
        var allowed = sequence.Constraint!.Allowed(out var canEnd);
        allowed = allowed[..Math.Min(allowed.Length, words.Length)];
        allowed.CopyTo(words);
        words[allowed.Length..].Clear();
        foreach (var stop in sequence.StopTokens)
        {
            var bit = 1u << (stop & 31);
            words[stop >> 5] = canEnd ? words[stop >> 5] | bit : words[stop >> 5] & ~bit;
        }

        if (!allowed.ContainsAnyExcept(0u) && !(canEnd && sequence.StopTokens.Length > 0))
        {
            throw new GrammarException(GrammarError.DeadEnd, canEnd
                ? "The text is complete under its grammar, and the model has no token to end it with."
                : "No token of the vocabulary can come next under the grammar.");
        }
    }

    /// <param name="sequence">A sequence without a constraint is left alone.</param>
    /// <param name="logits">-infinity for what is forbidden.</param>
    /// <param name="words">Scratch.</param>
    /// <exception cref="GrammarException">No token is left that could come next (DeadEnd), or a limit was reached.</exception>
    public static void Apply(Sequence sequence, Span<float> logits, Span<uint> words)
    {
        if (sequence.Constraint is null)
        {
            return;
        }

        Write(sequence, words);
        for (var word = 0; word * 32 < logits.Length; word++)
        {
            var bits = words[word];
            var part = logits[(word * 32)..Math.Min(logits.Length, (word * 32) + 32)];
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
    }
}
