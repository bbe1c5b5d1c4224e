using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Engine;

/// <summary>Keeps the tokens of one request within its grammar. The pump thread alone uses it.</summary>
/// <param name="state">The text that begins with the request's output.</param>
/// <param name="stopTokens">Tokens that end the output: allowed where the grammar may end.</param>
internal sealed class RequestConstraint(ConstraintState state, int[] stopTokens)
{
    private readonly uint[] _mask = new uint[state.MaskWords];

    /// <summary>Forbids what the grammar does not allow next.</summary>
    /// <param name="logits">One for each token of the vocabulary.</param>
    /// <exception cref="NumericalFaultException">GrammarDeadEnd: nothing is allowed, or the model cannot produce what is.</exception>
    public void Apply(Span<float> logits)
    {
        state.ComputeMask(_mask);
        var canEnd = state.CanEnd;
        Span<float> ends = stackalloc float[Math.Min(stopTokens.Length, 64)];
        for (var i = 0; i < ends.Length; i++)
        {
            ends[i] = canEnd ? logits[stopTokens[i]] : float.NegativeInfinity;
        }

        var left = 0;
        for (var id = 0; id < logits.Length; id++)
        {
            if (id / 32 < _mask.Length && (_mask[id / 32] >> (id % 32) & 1) != 0)
            {
                left++;
            }
            else
            {
                logits[id] = float.NegativeInfinity;
            }
        }

        for (var i = 0; i < ends.Length; i++)
        {
            logits[stopTokens[i]] = ends[i];
            left += float.IsNegativeInfinity(ends[i]) ? 0 : 1;
        }

        if (left == 0)
        {
            throw new NumericalFaultException("GrammarDeadEnd", "The grammar allows no token here that the model has.");
        }
    }

    /// <summary>Takes the token that was chosen.</summary>
    public void Advance(int token)
    {
        if (!state.Advance(token) && !stopTokens.AsSpan().Contains(token))
        {
            throw new NumericalFaultException("GrammarDeadEnd", $"Token {token} was chosen, which the grammar does not allow.");
        }
    }
}
