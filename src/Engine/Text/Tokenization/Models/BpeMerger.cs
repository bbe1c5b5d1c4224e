namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Merges the symbols of a word, lowest rank first and leftmost first among equals. Short words by scanning, long ones by a heap: O(n log n).</summary>
internal static class BpeMerger
{
    /// <summary>Words up to this many symbols are scanned.</summary>
    private const int ScanLimit = 40;

    /// <summary>Merges <paramref name="count"/> symbols in <see cref="BpeScratch.Id"/>; the result stands at the front of the same array.</summary>
    /// <returns>Number of symbols left.</returns>
    public static int Merge(BpeScratch scratch, int count, MergeTable merges)
        => count < 2 ? count : count <= ScanLimit ? MergeByScanning(scratch, count, merges) : MergeByHeap(scratch, count, merges);

    private static int MergeByScanning(BpeScratch scratch, int count, MergeTable merges)
    {
        var id = scratch.Id.AsSpan(0, count);
        var rank = scratch.Rank.AsSpan(0, count);
        var merged = scratch.Merged.AsSpan(0, count);
        for (var i = 0; i + 1 < count; i++)
        {
            rank[i] = merges.Find(id[i], id[i + 1], out merged[i]);
        }

        rank[count - 1] = MergeTable.None;
        while (true)
        {
            var best = 0;
            var bestRank = rank[0];
            for (var i = 1; i < count; i++)
            {
                if (rank[i] < bestRank)
                {
                    bestRank = rank[i];
                    best = i;
                }
            }

            if (bestRank == MergeTable.None)
            {
                return count;
            }

            id[best] = merged[best];
            var tail = count - best - 2;
            id.Slice(best + 2, tail).CopyTo(id[(best + 1)..]);
            rank.Slice(best + 2, tail).CopyTo(rank[(best + 1)..]);
            merged.Slice(best + 2, tail).CopyTo(merged[(best + 1)..]);
            count--;
            id = id[..count];
            rank = rank[..count];
            merged = merged[..count];
            rank[best] = best + 1 < count ? merges.Find(id[best], id[best + 1], out merged[best]) : MergeTable.None;
            if (best > 0)
            {
                rank[best - 1] = merges.Find(id[best - 1], id[best], out merged[best - 1]);
            }
        }
    }

    private static int MergeByHeap(BpeScratch scratch, int count, MergeTable merges)
    {
        scratch.ReserveList(count);
        int[] id = scratch.Id, rank = scratch.Rank, merged = scratch.Merged, next = scratch.Next, previous = scratch.Previous;
        var heap = new MergeHeap(scratch.Heap);
        for (var i = 0; i < count; i++)
        {
            next[i] = i + 1 < count ? i + 1 : -1;
            previous[i] = i - 1;
            rank[i] = i + 1 < count ? merges.Find(id[i], id[i + 1], out merged[i]) : MergeTable.None;
            if (rank[i] != MergeTable.None)
            {
                heap.Append(rank[i], i);
            }
        }

        heap.Heapify();
        while (heap.TryPop(out var bestRank, out var at))
        {
            // A candidate is stale once its pair has changed: then another rank stands there.
            if (rank[at] != bestRank)
            {
                continue;
            }

            var right = next[at];
            id[at] = merged[at];
            rank[right] = MergeTable.None;
            next[at] = next[right];
            if (next[at] >= 0)
            {
                previous[next[at]] = at;
                rank[at] = merges.Find(id[at], id[next[at]], out merged[at]);
                if (rank[at] != MergeTable.None)
                {
                    heap.Push(rank[at], at);
                }
            }
            else
            {
                rank[at] = MergeTable.None;
            }

            var left = previous[at];
            if (left >= 0)
            {
                rank[left] = merges.Find(id[left], id[at], out merged[left]);
                if (rank[left] != MergeTable.None)
                {
                    heap.Push(rank[left], left);
                }
            }
        }

        var written = 0;
        for (var i = 0; i >= 0; i = next[i])
        {
            id[written++] = id[i];
        }

        return written;
    }
}
