using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

public class RandomStreamTests
{
    /// <summary>Known answers of Philox4x32-10, published with Random123.</summary>
    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x41c83b0e408f276d, 0x6d5451fda20bc7c6)]
    [InlineData(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, 0x94fdccebd16cfe09, 0x24126ea15001e420)]
    public void Is_Philox(ulong key, ulong low, ulong high, ulong first, ulong second) =>
        Assert.Equal((first, second), RandomStream.Block(key, low, high));

    [Fact]
    public void Is_uniform_below_one_for_any_seed()
    {
        foreach (var seed in new ulong[] { 0, 1, 2, 1UL << 53, ulong.MaxValue })
        {
            var counts = new int[64];
            for (var i = 0; i < 64_000; i++)
            {
                var u = RandomStream.Uniform(seed, i);
                Assert.InRange(u, 0, Math.BitDecrement(1.0));
                counts[(int)(u * 64)]++;
            }

            Assert.True(ChiSquare.Fits(counts, Enumerable.Repeat(1 / 64.0, 64).ToArray()), $"seed {seed}");
        }
    }

    [Fact]
    public void Neighbouring_seeds_and_indices_are_independent()
    {
        var counts = new int[64];
        for (var i = 0; i < 64_000; i++)
        {
            counts[((int)(RandomStream.Uniform((ulong)i, 7) * 8) * 8) + (int)(RandomStream.Uniform((ulong)i + 1, 8) * 8)]++;
        }

        Assert.True(ChiSquare.Fits(counts, Enumerable.Repeat(1 / 64.0, 64).ToArray()));
    }
}
