using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Scheduling;

public class SchedulerTests
{
    private const int Stop = 99;

    [Fact]
    public void Nothing_to_do_gives_an_empty_batch_that_needs_no_commit()
    {
        var scheduler = new Scheduler(new PagePool(4, 4), 4, 16);
        Assert.Equal(0, scheduler.Next().Count);
        Assert.Equal(0, scheduler.Next().Count);
    }

    [Fact]
    public void A_prompt_is_computed_in_chunks_and_samples_with_the_last()
    {
        var scheduler = new Scheduler(new PagePool(8, 4), 4, 4);
        var a = Sequence(1, prompt: 10, max: 12);
        scheduler.Add(a);
        Assert.Equal("1:0+4", Step(scheduler));
        Assert.Equal("1:4+4", Step(scheduler));
        Assert.Equal(2, a.Pages.Length);
        Assert.Equal("1:8+2!", Step(scheduler));
        Assert.Equal("1:10+1!", Step(scheduler));
        Assert.Equal((FinishReason.Length, 12, 0), (a.Finish, a.Count, a.Pages.Length));
        Assert.Equal("", Step(scheduler));
    }

    [Fact]
    public void Decodes_come_first_and_prompts_fill_what_is_left_of_the_step()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 8, 8);
        scheduler.Add(Sequence(1, 3));
        scheduler.Add(Sequence(2, 3));
        Assert.Equal("1:0+3! 2:0+3!", Step(scheduler));
        scheduler.Add(Sequence(3, 20));
        scheduler.Add(Sequence(4, 2));
        Assert.Equal("1:3+1! 2:3+1! 3:0+6", Step(scheduler));
        Assert.Equal("1:4+1! 2:4+1! 3:6+6", Step(scheduler));
        Assert.Equal("1:5+1! 2:5+1! 3:12+6", Step(scheduler));
        Assert.Equal("1:6+1! 2:6+1! 3:18+2! 4:0+2!", Step(scheduler));
        Assert.Equal("1:7+1! 2:7+1! 3:20+1! 4:2+1!", Step(scheduler));
    }

    [Fact]
    public void A_batch_counts_its_tokens_and_samples()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 8, 8);
        scheduler.Add(Sequence(1, 5));
        scheduler.Add(Sequence(2, 9));
        var batch = scheduler.Next();
        Assert.Equal((2, 8, 1), (batch.Count, batch.TotalTokens, batch.SampleCount));
        Assert.Equal((0, 3, false), (batch[1].Start, batch[1].Count, batch[1].Samples));
        Assert.Throws<IndexOutOfRangeException>(() => batch[2]);
    }

    [Fact]
    public void A_stop_token_ends_the_sequence_and_returns_its_pages_at_once()
    {
        var pool = new PagePool(8, 4);
        var scheduler = new Scheduler(pool, 4, 16);
        var a = Sequence(1, 5);
        var b = Sequence(2, 5);
        scheduler.Add(a);
        scheduler.Add(b);
        scheduler.Commit(scheduler.Next(), [Stop, 3]);
        Assert.Equal((FinishReason.Stop, 1, 0), (a.Finish, a.GeneratedCount, a.Pages.Length));
        Assert.Equal((1, 0, 2), (scheduler.RunningCount, scheduler.WaitingCount, pool.UsedCount));
        Assert.Equal("2:5+1!", Step(scheduler));
    }

    [Fact]
    public void No_more_sequences_run_than_allowed()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 2, 16);
        for (var id = 1; id <= 4; id++)
        {
            scheduler.Add(Sequence(id, 2, 4));
        }

        Assert.Equal("1:0+2! 2:0+2!", Step(scheduler));
        Assert.Equal((2, 2), (scheduler.RunningCount, scheduler.WaitingCount));
        Assert.Equal("1:2+1! 2:2+1!", Step(scheduler));
        Assert.Equal("3:0+2! 4:0+2!", Step(scheduler));
    }

    [Fact]
    public void No_more_sequences_run_than_a_step_has_tokens_so_that_each_has_one()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 64, 2);
        for (var id = 1; id <= 3; id++)
        {
            scheduler.Add(Sequence(id, 1, 4));
        }

        Assert.Equal("1:0+1! 2:0+1!", Step(scheduler));
        Assert.Equal("1:1+1! 2:1+1!", Step(scheduler));
    }

    [Fact]
    public void A_sequence_is_admitted_only_while_a_page_stays_free_for_each_that_runs()
    {
        var scheduler = new Scheduler(new PagePool(6, 4), 8, 32);
        for (var id = 1; id <= 3; id++)
        {
            scheduler.Add(Sequence(id, 5));
        }

        // The first takes two pages, the second two of four and leaves one for the first; the third would leave none.
        Assert.Equal("1:0+5! 2:0+5!", Step(scheduler));
        Assert.Equal("1:5+1! 2:5+1!", Step(scheduler));
    }

    [Fact]
    public void KV01_a_sequence_alone_that_cannot_grow_ends_with_length_and_keeps_its_tokens()
    {
        var pool = new PagePool(2, 4);
        var scheduler = new Scheduler(pool, 4, 16);
        var a = Sequence(1, 5, 100);
        var b = Sequence(2, 1, 3);
        scheduler.Add(a);
        scheduler.Add(b);
        while (!a.IsFinished)
        {
            Step(scheduler);
        }

        // Eight tokens lie in the pages; the ninth was sampled from them.
        Assert.Equal((FinishReason.Length, 9, 0), (a.Finish, a.Count, a.Pages.Length));
        Step(scheduler);
        Step(scheduler);
        Assert.Equal((FinishReason.Length, 2, 0L), (b.Finish, pool.FreeCount, scheduler.Preemptions));
    }

    [Fact]
    public void KV01_a_prompt_above_the_whole_pool_ends_and_makes_room_for_the_next()
    {
        var scheduler = new Scheduler(new PagePool(2, 4), 4, 16);
        var a = Sequence(1, 9, 20);
        scheduler.Add(a);
        scheduler.Add(Sequence(2, 2, 4));
        Assert.Equal("1:0+8", Step(scheduler));
        Assert.Equal("2:0+2!", Step(scheduler));
        Assert.Equal((FinishReason.Length, 0), (a.Finish, a.GeneratedCount));
    }

    [Fact]
    public void KV02_the_latest_gives_its_pages_to_an_older_one_and_is_computed_again()
    {
        var pool = new PagePool(4, 4);
        var scheduler = new Scheduler(pool, 4, 16);
        var a = Sequence(1, 4, 12);
        var b = Sequence(2, 4, 12);
        scheduler.Add(a);
        scheduler.Add(b);
        Assert.Equal("1:0+4! 2:0+4!", Step(scheduler));
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal($"1:{4 + i}+1! 2:{4 + i}+1!", Step(scheduler));
        }

        Assert.Equal((4, 0L), (pool.UsedCount, scheduler.Preemptions));
        Assert.Equal("1:8+1!", Step(scheduler));
        Assert.Equal((1L, 1, 1), (scheduler.Preemptions, scheduler.RunningCount, scheduler.WaitingCount));
        Assert.Equal((0, 0, 9), (b.Computed, b.Pages.Length, b.Count));
        Assert.Equal("1:9+1!", Step(scheduler));
        Assert.Equal("1:10+1!", Step(scheduler));
        Assert.True(a.IsFinished);
        Assert.Equal("2:0+9!", Step(scheduler));
    }

    [Fact]
    public void KV02_the_latest_waits_with_its_pages_when_it_is_the_one_that_lacks_a_page()
    {
        var scheduler = new Scheduler(new PagePool(5, 4), 4, 16);
        var b = Sequence(2, 7, 20);
        scheduler.Add(Sequence(1, 1, 9));
        scheduler.Add(b);
        Assert.Equal("1:0+1! 2:0+7!", Step(scheduler));
        for (var i = 1; i < 6; i++)
        {
            Assert.Equal($"1:{i}+1! 2:{6 + i}+1!", Step(scheduler));
        }

        Assert.Equal("1:6+1!", Step(scheduler));
        Assert.Equal((12, 3), (b.Computed, b.Pages.Length));
        Assert.Equal("1:7+1!", Step(scheduler));
        Assert.Equal("2:12+1!", Step(scheduler));
        Assert.Equal(0, scheduler.Preemptions);
    }

    [Fact]
    public void KV03_under_a_storm_of_preemptions_the_oldest_advances_in_every_step()
    {
        var pool = new PagePool(12, 1);
        var scheduler = new Scheduler(pool, 12, 12);
        var all = Enumerable.Range(0, 20).Select(i => Sequence(i, 1, 12)).ToArray();
        Array.ForEach(all, scheduler.Add);
        var steps = 0;
        while (Array.Find(all, s => !s.IsFinished) is { } oldest)
        {
            var computed = oldest.Computed;
            Step(scheduler);
            Assert.True(oldest.IsFinished || oldest.Computed > computed);
            Assert.InRange(++steps, 0, all.Length * 12);
        }

        Assert.True(scheduler.Preemptions > 0);
        Assert.All(all, s => Assert.Equal((FinishReason.Length, 12), (s.Finish, s.Count)));
        Assert.Equal(12, pool.FreeCount);
    }

    [Fact]
    public void KV08_a_leaked_page_is_an_error_and_not_a_request_that_waits_for_ever()
    {
        var pool = new PagePool(2, 4);
        pool.Allocate(77);
        var scheduler = new Scheduler(pool, 4, 16);
        scheduler.Add(Sequence(1, 4));
        Assert.Throws<InvalidOperationException>(scheduler.Next);
    }

    [Fact]
    public void CL02_cancel_is_idempotent_and_frees_pages_in_every_state()
    {
        var pool = new PagePool(10, 2);
        var scheduler = new Scheduler(pool, 4, 4);
        var before = Sequence(1, 2);
        var queued = Sequence(2, 2);
        var prefilling = Sequence(3, 8);
        var decoding = Sequence(4, 2);
        var inStep = Sequence(5, 2);
        var done = Sequence(6, 2, 3);

        scheduler.Cancel(before);
        scheduler.Add(before);
        Assert.Equal(0, scheduler.WaitingCount);

        scheduler.Add(queued);
        scheduler.Cancel(queued);
        Assert.Equal("", Step(scheduler));

        scheduler.Add(prefilling);
        Assert.Equal("3:0+4", Step(scheduler));
        scheduler.Cancel(prefilling);
        Assert.Equal(10, pool.FreeCount);

        scheduler.Add(decoding);
        Step(scheduler);
        Step(scheduler);
        scheduler.Cancel(decoding);
        Assert.Equal((10, 4), (pool.FreeCount, decoding.Count));

        scheduler.Add(inStep);
        scheduler.Add(done);
        var batch = scheduler.Next();
        scheduler.Cancel(inStep);
        scheduler.Cancel(inStep);
        scheduler.Commit(batch, [5, 6]);
        Assert.Equal((2, 0), (inStep.Count, inStep.Pages.Length));

        scheduler.Cancel(done);
        scheduler.Fail(done);
        Assert.Equal(FinishReason.Length, done.Finish);
        Assert.All([before, queued, prefilling, decoding, inStep], s => Assert.Equal(FinishReason.Cancelled, s.Finish));
        Assert.Equal((0, 0, 10), (scheduler.RunningCount, scheduler.WaitingCount, pool.FreeCount));
    }

    [Fact]
    public void GP07_a_sequence_that_fails_in_a_step_leaves_the_others_as_they_are()
    {
        var pool = new PagePool(10, 2);
        var scheduler = new Scheduler(pool, 4, 16);
        var a = Sequence(1, 2);
        var b = Sequence(2, 2);
        var c = Sequence(3, 2);
        scheduler.Add(a);
        scheduler.Add(b);
        scheduler.Add(c);
        var batch = scheduler.Next();
        scheduler.Fail(b);
        scheduler.Commit(batch, [10, -1, 12]);
        Assert.Equal((FinishReason.Error, 0), (b.Finish, b.GeneratedCount));
        Assert.Equal((10, 12), (a.Tokens[^1], c.Tokens[^1]));
        Assert.Equal("1:2+1! 3:2+1!", Step(scheduler));
    }

    [Fact]
    public void CL13_a_long_prompt_does_not_hold_up_decodes()
    {
        var scheduler = new Scheduler(new PagePool(1000, 4), 8, 8);
        var chat = Sequence(1, 2, 50);
        scheduler.Add(chat);
        Step(scheduler);
        scheduler.Add(Sequence(2, 500, 600));
        for (var i = 0; i < 40; i++)
        {
            var count = chat.Count;
            Step(scheduler);
            Assert.Equal(count + 1, chat.Count);
        }
    }

    [Fact]
    public void CL13_endless_short_requests_do_not_starve_a_long_one()
    {
        var scheduler = new Scheduler(new PagePool(12, 4), 4, 8);
        var id = 0;
        for (; id < 6; id++)
        {
            scheduler.Add(Sequence(id, 4, 8));
        }

        var huge = Sequence(1000, 40, 44);
        scheduler.Add(huge);
        var steps = 0;
        while (!huge.IsFinished)
        {
            scheduler.Add(Sequence(++id, 4, 8));
            Step(scheduler);
            Assert.InRange(++steps, 0, 40);
        }

        Assert.Equal(FinishReason.Length, huge.Finish);
    }

    [Fact]
    public void CL11_an_id_may_come_again_when_its_sequence_has_ended()
    {
        var scheduler = new Scheduler(new PagePool(4, 4), 4, 16);
        for (var i = 0; i < 3; i++)
        {
            var sequence = Sequence(1, 4, 5);
            scheduler.Add(sequence);
            Step(scheduler);
            Assert.True(sequence.IsFinished);
        }
    }

    [Fact]
    public void A_protocol_that_is_not_kept_is_refused()
    {
        var scheduler = new Scheduler(new PagePool(4, 4), 4, 16);
        var a = Sequence(1, 4);
        scheduler.Add(a);
        Assert.Throws<InvalidOperationException>(() => scheduler.Add(a));
        var batch = scheduler.Next();
        Assert.Throws<InvalidOperationException>(scheduler.Next);
        Assert.Throws<ArgumentException>(() => scheduler.Commit(batch, []));
        Assert.Throws<InvalidOperationException>(() => scheduler.Commit(new Batch(1), [1]));
        scheduler.Commit(batch, [1]);
        Assert.Throws<InvalidOperationException>(() => scheduler.Commit(batch, [1]));
    }

    [Fact]
    public void The_queue_keeps_its_order_through_removals_and_growth()
    {
        var random = new Random(4);
        var queue = new SequenceQueue();
        var model = new List<Sequence>();
        for (var i = 0; i < 5000; i++)
        {
            var sequence = Sequence(i, 1);
            switch (random.Next(5))
            {
                case 0 or 1:
                    queue.Reserve(queue.Count + 1);
                    queue.AddLast(sequence);
                    model.Add(sequence);
                    break;
                case 2:
                    queue.Reserve(queue.Count + 1);
                    queue.AddFirst(sequence);
                    model.Insert(0, sequence);
                    break;
                case 3 when model.Count > 0:
                    Assert.Same(model[0], queue.First);
                    queue.RemoveFirst();
                    model.RemoveAt(0);
                    break;
                default:
                    var other = model.Count > 0 && random.Next(2) == 0 ? model[random.Next(model.Count)] : sequence;
                    Assert.Equal(model.Remove(other), queue.Remove(other));
                    break;
            }

            Assert.Equal(model.Count, queue.Count);
        }

        foreach (var sequence in model)
        {
            Assert.Same(sequence, queue.First);
            queue.RemoveFirst();
        }
    }

    [Fact]
    public void A_step_allocates_nothing_preemptions_included()
    {
        var scheduler = new Scheduler(new PagePool(60, 2), 16, 32);
        for (var i = 0; i < 32; i++)
        {
            scheduler.Add(Sequence(i, 8, 60));
        }

        Span<int> tokens = stackalloc int[16];
        tokens.Fill(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Batch batch;
        while ((batch = scheduler.Next()).Count > 0)
        {
            scheduler.Commit(batch, tokens[..batch.SampleCount]);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(scheduler.Preemptions > 10);
    }

    private static Sequence Sequence(long id, int prompt, int max = 1000) =>
        new(id, Enumerable.Range(1, prompt).ToArray(), max, new SamplingOptions(), [Stop]);

    /// <summary>One step in which every token is 1; says what it was: <c>id:start+count</c>, and ! where a token was sampled.</summary>
    private static string Step(Scheduler scheduler)
    {
        var batch = scheduler.Next();
        var text = new List<string>();
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            text.Add($"{item.Sequence.Id}:{item.Start}+{item.Count}{(item.Samples ? "!" : "")}");
        }

        if (batch.Count > 0)
        {
            scheduler.Commit(batch, Enumerable.Repeat(1, batch.SampleCount).ToArray());
        }

        return string.Join(' ', text);
    }
}
