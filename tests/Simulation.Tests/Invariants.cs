using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Simulation;

/// <summary>What must hold between any two steps, in time linear in the pages.</summary>
internal sealed class Invariants(PagePool pool, PagePool? windowed, Scheduler scheduler, int maxRunning)
{
    private readonly int[] _uses = new int[pool.TotalCount];

    /// <summary>The first that does not hold, or null.</summary>
    /// <param name="alive">Sequences that have not ended, in the order of arrival.</param>
    public string? FirstViolation(List<Sequence> alive) => FirstOfAll(alive) ?? (windowed is null ? null : FirstOfWindowed(alive, windowed));

    private static string? FirstOfWindowed(List<Sequence> alive, PagePool windowed)
    {
        var used = new HashSet<int>();
        foreach (var s in alive)
        {
            var table = s.Table(1);
            if (table.End != windowed.PagesFor(s.Computed) || table.First != windowed.FirstVisible(s.Computed))
            {
                return $"sequence {s.Id} has windowed pages {table.First} to {table.End} for {s.Computed} tokens and a window of {windowed.Window}";
            }

            foreach (var page in table.Pages)
            {
                if (!windowed.IsOwnedBy(page, s.Id) || !used.Add(page))
                {
                    return $"sequence {s.Id} names the windowed page {page}, which is not its own";
                }
            }
        }

        return used.Count == windowed.UsedCount ? null : $"{used.Count} windowed pages held and {windowed.FreeCount} free are not {windowed.TotalCount}";
    }

    private string? FirstOfAll(List<Sequence> alive)
    {
        _uses.AsSpan().Clear();
        var (running, held, waits, slots) = (0, 0, false, 0L);
        foreach (var s in alive)
        {
            if (s.IsFinished || s.Computed >= s.Count || s.Count >= s.MaxTokens)
            {
                return $"sequence {s.Id} runs with {s.Computed} of {s.Count} tokens computed, {s.MaxTokens} allowed, finish {s.Finish}";
            }

            if (s.Pages.Length != pool.PagesFor(s.Computed) || s.Pages.ToArray().Distinct().Count() != s.Pages.Length)
            {
                return $"sequence {s.Id} has {s.Pages.Length} pages for {s.Computed} tokens";
            }

            foreach (var page in s.Pages)
            {
                if (!pool.IsOwnedBy(page, s.Id))
                {
                    return $"sequence {s.Id} names page {page}, which is not its own";
                }

                _uses[page]++;
            }

            held += s.Pages.Length;
            if (s.Pages.Length == 0)
            {
                if (s.Slot >= 0)
                {
                    return $"sequence {s.Id} waits and holds the state slot {s.Slot}";
                }

                waits = true;
                continue;
            }

            running++;
            if ((uint)s.Slot >= (uint)maxRunning || (slots & (1L << s.Slot)) != 0)
            {
                return $"sequence {s.Id} has the state slot {s.Slot}, which does not exist or is another's";
            }

            slots |= 1L << s.Slot;
            if (waits)
            {
                return $"sequence {s.Id} runs before one that came earlier";
            }
        }

        foreach (var page in pool.Free)
        {
            if ((uint)page >= (uint)_uses.Length || ++_uses[page] != 1)
            {
                return $"free page {page} is in use, or free twice";
            }

            _uses[page] = -1;
        }

        if (held + pool.FreeCount != pool.TotalCount)
        {
            return $"{held} pages held and {pool.FreeCount} free are not {pool.TotalCount}";
        }

        for (var page = 0; page < _uses.Length; page++)
        {
            // A page that nobody holds and that is not free has a text that can be found.
            if (Math.Max(0, _uses[page]) != pool.Holders(page) || (_uses[page] == 0 && !pool.SharesPrefixes) || (_uses[page] > 1 && !pool.SharesPrefixes))
            {
                return $"page {page} is used {_uses[page]} times, and the pool counts {pool.Holders(page)}";
            }
        }

        if (Array.FindAll(_uses, uses => uses == 0).Length > pool.CachedCount)
        {
            return $"{Array.FindAll(_uses, uses => uses == 0).Length} pages are not held and not free, and {pool.CachedCount} can be found";
        }

        if (running != scheduler.RunningCount || alive.Count - running != scheduler.WaitingCount || running > maxRunning)
        {
            return $"{running} run and {alive.Count - running} wait; the scheduler counts {scheduler.RunningCount} and {scheduler.WaitingCount}";
        }

        return running + scheduler.FreeSlots == maxRunning ? null : $"{running} state slots held and {scheduler.FreeSlots} free are not {maxRunning}";
    }
}
