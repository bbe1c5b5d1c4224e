using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

/// <summary>Values worked out by hand: prompt 0 1 1, output 2 3 3 3.</summary>
public class PenaltyTests
{
    [Theory]
    [InlineData(1f, 0f, 0f, new float[] { 4, -4, 2, -2, 1, 0 })]
    [InlineData(2f, 0f, 0f, new float[] { 2, -8, 1, -4, 1, 0 })] // prompt and output, once each
    [InlineData(0.5f, 0f, 0f, new float[] { 8, -2, 4, -1, 1, 0 })]
    [InlineData(1f, 0.5f, 0f, new float[] { 4, -4, 1.5f, -3.5f, 1, 0 })] // output only, each occurrence
    [InlineData(1f, -0.5f, 0f, new float[] { 4, -4, 2.5f, -0.5f, 1, 0 })]
    [InlineData(1f, 0f, 1.5f, new float[] { 4, -4, 0.5f, -3.5f, 1, 0 })] // output only, once
    [InlineData(1f, 0.5f, 1.5f, new float[] { 4, -4, 0, -5, 1, 0 })]
    [InlineData(2f, 0.5f, 1.5f, new float[] { 2, -8, -1, -7, 1, 0 })] // repetition first
    public void Penalties_are_the_standard_formulas(float repetition, float frequency, float presence, float[] expected)
    {
        var sequence = new Sequence(0, [0, 1, 1], 20, new() { RepetitionPenalty = repetition, FrequencyPenalty = frequency, PresencePenalty = presence }, []);
        foreach (var token in new[] { 2, 3, 3, 3 })
        {
            sequence.Append(token);
        }

        var penalties = new Penalties(6);
        for (var again = 0; again < 2; again++)
        {
            float[] logits = [4, -4, 2, -2, 1, 0];
            penalties.Apply(sequence, logits);
            Assert.Equal(expected, logits);
        }
    }

    [Fact]
    public void Bias_is_added_and_minus_infinity_forbids()
    {
        float[] logits = [1, 2, 3];
        LogitBias.Apply(new Sequence(0, [0], 5, new() { LogitBias = new Dictionary<int, float> { [0] = 2.5f, [2] = float.NegativeInfinity, [3] = 1 } }, []), logits);
        Assert.Equal([3.5f, 2, float.NegativeInfinity], logits);
    }

    [Fact]
    public void Penalties_leave_a_forbidden_token_forbidden()
    {
        float[] logits = [float.NegativeInfinity, 1];
        var sequence = new Sequence(0, [0], 5, new() { RepetitionPenalty = 0.5f, FrequencyPenalty = -2, PresencePenalty = -2 }, []);
        sequence.Append(0);
        new Penalties(2).Apply(sequence, logits);
        Assert.Equal([float.NegativeInfinity, 1], logits);
    }
}
