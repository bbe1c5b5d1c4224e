using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Layers of different shapes in one cache, each group with its block tables.</summary>
public abstract partial class BackendConformance
{
    /// <summary>Layer 0 sees everything, layers 1 and 2 have a window and other sizes, and a last layer has only queries and attends over layer 1's pages.
    /// The windowed tables lack what has left the window.</summary>
    [Fact]
    public void LayersOfDifferentShapesHaveTheirOwnPages()
    {
        const int Window = 20, PageSize = 16;
        (int Start, int Count)[] rounds = [(0, 40), (40, 1), (41, 29), (70, 3)];
        AttentionShape[] shapes = [new(4, 2, 32, 0.2f), new(6, 3, 8, 0.4f, Window), new(2, 1, 80, 0.1f, Window), new(9, 0, 8, 0.4f, Window)];
        var columns = shapes.Max(s => s.QkvColumns);
        var inputs = rounds.Select(r => Values(r.Count * columns)).ToArray();
        var outputs = shapes.Sum(s => s.QueryColumns);
        float[] expected = new float[rounds.Sum(r => r.Count) * outputs], actual = new float[expected.Length];
        var frequencies = new RotaryFrequencies([1f, 0.1f, 0.01f, 0.001f], 1);
        foreach (var (backend, result) in Both(expected, actual))
        {
            var layout = new KvLayout([.. shapes[..3].Select(s => new KvLayer(s.KvHeads, s.HeadDim, s.Window))], PageSize);
            Assert.Equal([0, Window], layout.Windows);
            using var pages = backend.AllocateKvPages(layout, [9, 7]);
            var rest = result.AsMemory();
            foreach (var ((start, count), values) in rounds.Zip(inputs))
            {
                // Everything before the first token's window has been given back: page 5 is the windowed sixth page again.
                int[] all = [8, 3, 1, 0, 6], windowed = [5, 2, 6, 0, 5];
                var first = Math.Max(0, start - Window + 1) / PageSize;
                using var step = new Step(backend, pages, new Random(1), 10, (start, count));
                DeviceBuffer starts = backend.AllocateInts(8), tables = backend.AllocateInts(10);
                backend.Upload([0, -1, -1, all.Length - first], starts);
                backend.Upload([.. all, .. windowed[first..]], tables);
                var both = step.Inputs with { BlockTableStarts = new Ints(starts, 0), TableStride = 3, BlockTables = new Ints(tables, 0) };
                Rows input = Upload(backend, values, count, columns), table = Poisoned(backend, count, 8);
                backend.RotaryTable(both, frequencies, table);
                for (var layer = 0; layer < shapes.Length; layer++)
                {
                    var (shape, cache) = (shapes[layer], layer == 3 ? 1 : layer);
                    var (qkv, output) = (input.Slice(0, shape.QkvColumns), Poisoned(backend, count, shape.QueryColumns));
                    backend.RotateAndStore(both, cache, qkv, table, RotaryPairs.Halves, shape);
                    backend.PagedAttention(both, cache, qkv.Slice(0, shape.QueryColumns), output, shape.KvHeads > 0 ? shape : shape with { KvHeads = shapes[cache].KvHeads });
                    Download(backend, output, count, rest.Span[..(count * shape.QueryColumns)]);
                    rest = rest[(count * shape.QueryColumns)..];
                }

                starts.Dispose();
                tables.Dispose();
            }
        }

        AssertClose(expected, actual, 5e-6);
    }

    [Fact]
    public void APageOfALayerTakesWhatItsShapeSays()
    {
        var (plain, latent) = (new KvLayer(2, 32), new KvLayer(2, 32) { ValueDim = 0 });
        Assert.Equal(Backend.KvPageBytes(plain, 16), 2 * Backend.KvPageBytes(latent, 16));
        Assert.Equal(2 * Backend.KvPageBytes(plain, 16), new KvLayout([plain, plain, latent with { Window = 7 }], 16).PageBytes(Backend, 0));
        using var pages = Backend.AllocateKvPages(new KvLayout([plain, latent with { Window = 7 }], 16), [3, 2]);
        var (half, size) = (Backend.KvPageBytes(latent, 16), pages.Keys(0).Type.ByteSize());
        Assert.True(half >= 2 * 32 * 16 * size);
        Assert.Equal((3 * half, 2 * half, 0L), (pages.Values(0).Length * size, pages.Keys(1).Length * size, pages.Values(1).Length * size));
    }
}
