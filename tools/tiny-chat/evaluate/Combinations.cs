namespace KvPrefetch.Tools.Evaluate;

/// <summary>Different ones of all combinations of some lists, drawn evenly, always the same.</summary>
internal static class Combinations
{
    /// <param name="count">How many; at most as many as there are.</param>
    /// <param name="sizes">Of the lists.</param>
    /// <returns>For each combination an index into each list.</returns>
    public static IEnumerable<int[]> Of(int count, params int[] sizes)
    {
        var all = Enumerable.Range(0, sizes.Aggregate(1, (product, size) => product * size)).ToArray();
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, all.Length);
        new Random(1).Shuffle(all);
        foreach (var number in all.Take(count))
        {
            var left = number;
            var indexes = new int[sizes.Length];
            for (var list = 0; list < sizes.Length; list++)
            {
                (left, indexes[list]) = Math.DivRem(left, sizes[list]);
            }

            yield return indexes;
        }
    }
}
