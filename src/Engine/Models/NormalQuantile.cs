using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Models;

/// <summary>Quantiles of the normal distribution.</summary>
internal static class NormalQuantile
{
    /// <summary>The x below which a share of <paramref name="probability"/> lies, above 0 and below 1; exact to double precision but for the last digits.</summary>
    public static double Of(double probability)
    {
        // By halves: it is asked a few times a model, and nothing is simpler.
        double low = -40, high = 40;
        for (var i = 0; i < 100; i++)
        {
            var middle = (low + high) / 2;
            if (0.5 * (1 + Activation.Erf(middle / Math.Sqrt(2))) < probability)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }

        return (low + high) / 2;
    }
}
