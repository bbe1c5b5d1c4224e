using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Summaries of logits: the same integers as the naive backend's, sums of weights to the bit.</summary>
public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(1025)]
    [InlineData(4096)]
    [InlineData(5003)]
    [InlineData(49152)]
    [InlineData(128_257)]
    public void Summarise(int vocabulary)
    {
        const int Rows = 9;
        float[] x = [.. Values(Rows * vocabulary).Select(v => v * 20)];
        for (var i = 0; i < vocabulary; i++)
        {
            x[vocabulary + i] = MathF.Round(x[vocabulary + i]);    // ties everywhere
            x[(2 * vocabulary) + i] = i % 3 == 0 ? 0f : -0f;
            x[(3 * vocabulary) + i] = i == vocabulary / 2 ? 1 : float.NegativeInfinity;
        }

        x[(4 * vocabulary) + (vocabulary / 3)] = float.NaN;
        x[(5 * vocabulary) + (vocabulary / 3)] = float.PositiveInfinity;
        var words = (vocabulary + 31) / 32;
        var settings = new int[(Rows * LogitSummary.SettingLength) + (2 * words)];
        for (var row = 0; row < Rows; row++)
        {
            settings[2 * row] = row == 8 ? 0 : BitConverter.SingleToInt32Bits(SoftWeights.Scale(row == 7 ? 0.01f : 0.3f + row));
        }

        // One mask allows a third of the tokens, the other none.
        (settings[12 + 1], settings[14 + 1]) = (2 * Rows, (2 * Rows) + words);
        for (var i = 0; i < words; i++)
        {
            settings[(2 * Rows) + i] = _random.Next() & _random.Next();
        }

        int[] expected = [], actual = [];
        LogitSummary? layout = null;
        foreach (var backend in (IBackend[])[Reference, Backend])
        {
            var summary = layout = new LogitSummary(backend, Rows + 1, vocabulary);
            backend.Upload(settings, summary.Settings);
            backend.Summarise(Upload(backend, x, Rows, vocabulary), summary, Rows, draws: true);
            var result = backend.DownloadInts(summary.Results, summary.Body(Rows)).ToArray();
            (expected, actual) = backend == Reference ? (result, actual) : (expected, result);
        }

        for (var row = 0; row < Rows; row++)
        {
            int[] wanted = expected[(row * 4)..((row * 4) + 4)], head = actual[(row * 4)..((row * 4) + 4)];
            Assert.Equal(wanted[0], head[0]);
            if (wanted[0] != 0)
            {
                continue;
            }

            Assert.Equal((wanted[1], wanted[3]), (head[1], head[3]));
            Assert.Equal(BitConverter.Int32BitsToSingle(wanted[2]), BitConverter.Int32BitsToSingle(head[2]));
            if (wanted[3] > 0)
            {
                (int Id, float Logit)[] Candidates(int[] all) => [.. Enumerable.Range(layout!.Body(row), wanted[3]).Select(i => (all[i], BitConverter.Int32BitsToSingle(all[i + LogitSummary.Candidates]))).Order()];
                Assert.Equal(Candidates(expected), Candidates(actual));
                var sums = (layout!.Body(row) + (2 * LogitSummary.Candidates))..layout.Body(row + 1);
                Assert.Equal(expected[sums], actual[sums]);
            }
        }
    }
}
