namespace KvPrefetch.Tests.Sampling;

/// <summary>Pearson's test of counts against exact probabilities.</summary>
internal static class ChiSquare
{
    /// <summary>False if a token of probability zero was seen, or the deviation is one that chance gives once in 30,000 (four standard deviations).</summary>
    public static bool Fits(int[] counts, double[] probabilities)
    {
        var total = counts.Sum();
        var (statistic, bins, restCount, restExpected) = (0.0, 0, 0.0, 0.0);
        for (var i = 0; i < counts.Length; i++)
        {
            if (probabilities[i] == 0 && counts[i] > 0)
            {
                return false;
            }

            // The approximation wants five expected in each bin: smaller ones are counted together.
            restCount += counts[i];
            restExpected += probabilities[i] * total;
            if (restExpected >= 5)
            {
                statistic += (restCount - restExpected) * (restCount - restExpected) / restExpected;
                bins++;
                (restCount, restExpected) = (0, 0);
            }
        }

        if (bins < 2)
        {
            return true;
        }

        // Wilson and Hilferty: the cube root of chi-square over its degrees of freedom is nearly normal.
        var spread = 2.0 / (9 * (bins - 1));
        return (Math.Cbrt(statistic / (bins - 1)) - (1 - spread)) / Math.Sqrt(spread) < 4;
    }
}
