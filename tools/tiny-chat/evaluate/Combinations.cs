namespace KvPrefetch.Tools.Evaluate;

/// <summary>Different ones of all combinations of some lists, spread over them, always the same.</summary>
internal static class Combinations
{
    private const int Stride = 7919;    // a prime beyond every product of lists here that it could divide

    /// <param name="count">How many; at most as many as there are.</param>
    /// <param name="sizes">Of the lists.</param>
    /// <returns>For each combination an index into each list.</returns>
    public static IEnumerable<int[]> Of(int count, params int[] sizes)
    {
        var all = sizes.Aggregate(1, (product, size) => product * size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, all);
        for (var i = 0; i < count; i++)
        {
            var left = (int)((long)i * Stride % all);
            var indexes = new int[sizes.Length];
            for (var list = 0; list < sizes.Length; list++)
            {
                (left, indexes[list]) = Math.DivRem(left, sizes[list]);
            }

            yield return indexes;
        }
    }
}
