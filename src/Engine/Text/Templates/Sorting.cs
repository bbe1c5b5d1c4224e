namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's stable sort.</summary>
internal static class Sorting
{
    public static List<T> Sort<T>(RenderState state, IReadOnlyList<T> items, Func<T, Value> key, bool reverse = false)
    {
        state.CheckElements(items.Count);
        var keyed = new (Value Key, T Item)[items.Count];
        for (var i = 0; i < keyed.Length; i++)
        {
            keyed[i] = (key(items[i]), items[i]);
        }

        var buffer = new (Value, T)[keyed.Length];
        MergeSort(state, keyed, buffer, 0, keyed.Length, reverse);
        return [.. keyed.Select(pair => pair.Item)];
    }

    // Halves are sorted first: the depth is the logarithm of a length that is bounded.
    private static void MergeSort<T>(RenderState state, (Value Key, T Item)[] items, (Value, T)[] buffer, int start, int end, bool reverse)
    {
        if (end - start < 2)
        {
            return;
        }

        var middle = start + ((end - start) / 2);
        MergeSort(state, items, buffer, start, middle, reverse);
        MergeSort(state, items, buffer, middle, end, reverse);
        int left = start, right = middle;
        for (var i = start; i < end; i++)
        {
            var takeRight = left == middle;
            if (!takeRight && right < end)
            {
                state.Tick();
                takeRight = reverse
                    ? Comparison.Compare(state, "<", items[left].Key, items[right].Key) < 0
                    : Comparison.Compare(state, "<", items[right].Key, items[left].Key) < 0;
            }

            buffer[i] = takeRight ? items[right++] : items[left++];
        }

        Array.Copy(buffer, start, items, start, end - start);
    }
}
