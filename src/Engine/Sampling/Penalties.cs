using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>
/// Repetition penalty r over the tokens of prompt and output, each once: a positive logit is divided by r, another multiplied (Hugging Face).
/// Frequency and presence penalties over the output: a token that was generated n times loses <c>n * frequency + presence</c> (OpenAI).
/// Counted anew from the sequence's tokens, so that nothing has to survive preemption.
/// </summary>
internal sealed class Penalties(int vocabularySize)
{
    /// <summary>Zero between calls.</summary>
    private readonly int[] _counts = new int[vocabularySize];

    public void Apply(Sequence sequence, Span<float> logits)
    {
        var options = sequence.Sampling;
        if (options.RepetitionPenalty != 1)
        {
            Repetition(sequence.Tokens, options.RepetitionPenalty, logits);
        }

        if (options.FrequencyPenalty != 0 || options.PresencePenalty != 0)
        {
            FrequencyAndPresence(sequence.Tokens[sequence.PromptCount..], options.FrequencyPenalty, options.PresencePenalty, logits);
        }
    }

    private void Repetition(ReadOnlySpan<int> tokens, float penalty, Span<float> logits)
    {
        foreach (var token in tokens)
        {
            if (_counts[token]++ == 0)
            {
                var logit = logits[token];
                logits[token] = logit > 0 ? logit / penalty : logit * penalty;
            }
        }

        foreach (var token in tokens)
        {
            _counts[token] = 0;
        }
    }

    private void FrequencyAndPresence(ReadOnlySpan<int> generated, float frequency, float presence, Span<float> logits)
    {
        foreach (var token in generated)
        {
            _counts[token]++;
        }

        foreach (var token in generated)
        {
            if (_counts[token] > 0)
            {
                logits[token] -= (_counts[token] * frequency) + presence;
                _counts[token] = 0;
            }
        }
    }
}
