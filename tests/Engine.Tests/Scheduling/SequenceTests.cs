using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Scheduling;

public class SequenceTests
{
    [Fact]
    public void Copies_what_the_caller_could_change()
    {
        int[] prompt = [1, 2], stop = [9];
        var bias = new Dictionary<int, float> { [3] = 1 };
        var sequence = new Sequence(0, prompt, 10, new SamplingOptions { LogitBias = bias }, stop);
        prompt[0] = stop[0] = 5;
        bias[4] = 1;
        sequence.Append(5);
        Assert.Equal([1, 2, 5], sequence.Tokens);
        Assert.Null(sequence.Finish);
        Assert.Equal(1, sequence.LogitBias.Length);
    }

    [Fact]
    public void Ends_at_a_stop_token_which_counts_as_generated()
    {
        var sequence = new Sequence(0, [1], 4, new SamplingOptions(), [9]);
        sequence.Append(9);
        Assert.Equal((FinishReason.Stop, 1), (sequence.Finish, sequence.GeneratedCount));
    }

    [Fact]
    public void Ends_at_its_length_and_says_stop_when_the_last_token_is_one()
    {
        var byLength = new Sequence(0, [1], 3, new SamplingOptions(), [9]);
        byLength.Append(2);
        Assert.False(byLength.IsFinished);
        byLength.Append(2);
        Assert.Equal(FinishReason.Length, byLength.Finish);

        var byStop = new Sequence(0, [1], 2, new SamplingOptions(), [9]);
        byStop.Append(9);
        Assert.Equal(FinishReason.Stop, byStop.Finish);
    }

    [Fact]
    public void Grows_by_doubling()
    {
        var sequence = new Sequence(0, [1], 100_000, new SamplingOptions(), []);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 1; i < 100_000; i++)
        {
            sequence.Append(i);
            if (i % 16 == 0)
            {
                sequence.Table(0).Add(i);
            }
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000_000);
        Assert.Equal(Enumerable.Range(1, 99_999).Prepend(1), sequence.Tokens.ToArray());
        Assert.Equal(6249, sequence.Pages.Length);
    }

    [Fact]
    public void Refuses_an_empty_prompt_and_a_length_without_room()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sequence(0, [], 4, new SamplingOptions(), []));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sequence(0, [1, 2], 2, new SamplingOptions(), []));
    }
}
