namespace KvPrefetch.Engine.Sampling;

/// <summary>
/// The random numbers of a request: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with the request's seed as key and the
/// index of the generated token as counter. A number depends on these two alone, so that neither the batch, nor preemption, nor a restart can change it.
/// </summary>
internal static class RandomStream
{
    private const int Rounds = 10;

    /// <summary>Uniform in [0, 1): the first 53 bits of the block for this token.</summary>
    public static double Uniform(ulong seed, int index) => (Block(seed, (uint)index).Low >> 11) * (1.0 / (1UL << 53));

    /// <summary>One block of 128 bits; the first 32-bit word is the lowest.</summary>
    internal static (ulong Low, ulong High) Block(ulong key, ulong counterLow, ulong counterHigh = 0)
    {
        var (k0, k1) = ((uint)key, (uint)(key >> 32));
        var (c0, c1, c2, c3) = ((uint)counterLow, (uint)(counterLow >> 32), (uint)counterHigh, (uint)(counterHigh >> 32));
        for (var round = 0; round < Rounds; round++)
        {
            var p0 = 0xD2511F53UL * c0;
            var p1 = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            unchecked
            {
                k0 += 0x9E3779B9;
                k1 += 0xBB67AE85;
            }
        }

        return (c0 | ((ulong)c1 << 32), c2 | ((ulong)c3 << 32));
    }
}
