using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Scheduling;

public sealed class StateSlotTests
{
    [Fact]
    public void A_sequence_has_a_slot_of_its_own_from_its_admission_until_it_ends()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 2, 16);
        Sequence a = Sequence(1, 2, 4), b = Sequence(2, 2, 3), c = Sequence(3, 2, 4);
        Array.ForEach([a, b, c], scheduler.Add);
        Assert.Equal((-1, 2), (a.Slot, scheduler.FreeSlots));
        Step(scheduler);
        Assert.Equal((0, -1, -1, 1), (a.Slot, b.Slot, c.Slot, scheduler.FreeSlots));    // b ended with its first token
        Step(scheduler);
        Assert.Equal((-1, 1, 1), (a.Slot, c.Slot, scheduler.FreeSlots));
        while (scheduler.RunningCount > 0)
        {
            Step(scheduler);
        }

        Assert.Equal(2, scheduler.FreeSlots);
    }

    [Fact]
    public void A_cancelled_or_failed_sequence_returns_its_slot_at_once_also_in_the_middle_of_a_step()
    {
        var scheduler = new Scheduler(new PagePool(100, 4), 3, 16);
        Sequence a = Sequence(1, 2, 9), b = Sequence(2, 2, 9), waiting = Sequence(4, 2, 9);
        Array.ForEach([a, b, Sequence(3, 2, 9), waiting], scheduler.Add);
        var batch = scheduler.Next();
        scheduler.Cancel(a);
        scheduler.Cancel(waiting);
        Assert.Equal((-1, 1), (a.Slot, scheduler.FreeSlots));
        scheduler.Commit(batch, [1, 1, 1]);
        scheduler.Fail(b);
        Assert.Equal((-1, 2), (b.Slot, scheduler.FreeSlots));
    }

    [Fact]
    public void A_preempted_sequence_gives_up_its_slot_and_begins_again_from_its_first_token()
    {
        var scheduler = new Scheduler(new PagePool(4, 4), 4, 16);
        Sequence a = Sequence(1, 7, 20), b = Sequence(2, 4, 20);
        scheduler.Add(a);
        scheduler.Add(b);
        while (scheduler.Preemptions == 0)
        {
            Assert.True(Step(scheduler), "nothing was preempted");
        }

        Assert.Equal((0, -1, 0, 3), (a.Slot, b.Slot, b.Computed, scheduler.FreeSlots));
        while (b.Slot < 0)
        {
            Assert.True(Step(scheduler), "it did not come back");
        }

        Assert.Equal(b.Computed, b.Count - 1);
    }

    [Fact]
    public void KV_random_requests_never_share_a_slot_and_all_are_free_at_rest()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var scheduler = new Scheduler(new PagePool(20, 2), 5, 12);
        List<Sequence> alive = [];
        for (var i = 0; i < 3000 || alive.Count > 0; i++)
        {
            if (i < 3000 && alive.Count < 9)
            {
                alive.Add(Sequence(i, random.Next(1, 12), 20));
                scheduler.Add(alive[^1]);
            }

            if (random.Next(10) == 0 && alive.Count > 0)
            {
                scheduler.Cancel(alive[random.Next(alive.Count)]);
            }

            Step(scheduler);
            alive.RemoveAll(s => s.IsFinished);
            var held = alive.FindAll(s => s.Slot >= 0);
            Assert.True(held.Select(s => s.Slot).Distinct().Count() == held.Count, $"seed {seed}");
            Assert.True(held.Count == scheduler.RunningCount && scheduler.FreeSlots == 5 - held.Count, $"seed {seed}");
            Assert.True(alive.TrueForAll(s => s.Slot >= 0 || s.Computed == 0), $"seed {seed}");
        }

        Assert.Equal(5, scheduler.FreeSlots);
    }

    [Fact]
    public void A_slot_given_back_twice_or_by_another_is_refused()
    {
        var pool = new SlotPool(2);
        var slot = pool.Allocate(7);
        Assert.Throws<InvalidOperationException>(() => pool.Release(slot, 8));
        pool.Release(slot, 7);
        Assert.Throws<InvalidOperationException>(() => pool.Release(slot, 7));
        Assert.Throws<InvalidOperationException>(() => pool.Release(2, 7));
        pool.Allocate(1);
        pool.Allocate(2);
        Assert.Throws<InvalidOperationException>(() => pool.Allocate(3));
    }

    private static Sequence Sequence(long id, int prompt, int max) => new(id, Enumerable.Range(1, prompt).ToArray(), max, new SamplingOptions(), []);

    private static bool Step(Scheduler scheduler)
    {
        var batch = scheduler.Next();
        if (batch.Count > 0)
        {
            scheduler.Commit(batch, Enumerable.Repeat(1, batch.SampleCount).ToArray());
        }

        return batch.Count > 0;
    }
}
