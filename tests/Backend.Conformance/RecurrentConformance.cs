using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Recurrent verbs: against the naive backend, and against themselves in other chunks and batches.</summary>
public abstract partial class BackendConformance
{
    private const int Slots = 7;

    /// <summary>A prefill of three sequences, then chunks and decodes; the fourth sequence begins late, in a slot that others have written to.</summary>
    private static readonly (int Start, int Count)[][] RecurrentRounds = [[(0, 9), (0, 1), (0, 22)], [(9, 1), (1, 6), (22, 1), (0, 5)], [(10, 3), (7, 1), (23, 1), (5, 1)]];

    [Theory]
    [InlineData(64, 3, false, false)]
    [InlineData(70, 4, true, true)]
    [InlineData(5, 2, true, false)]
    [InlineData(160, 4, true, true)]
    [InlineData(33, 1, false, true)]
    public void ShortConvolution(int columns, int width, bool bias, bool silu) =>
        AssertRecurrent(columns, columns, [Math.Max(1, (width - 1) * columns)], 2e-6, Convolution(columns, width, bias, silu));

    [Theory]
    [InlineData(8, 16, 1, 16)]
    [InlineData(6, 5, 2, 19)]
    [InlineData(4, 64, 4, 128)]
    [InlineData(1, 1, 1, 1)]
    public void SelectiveScan(int heads, int headDim, int groups, int stateSize)
    {
        var shape = new ScanShape(heads, headDim, groups, stateSize, 0.01f, 2f);
        AssertRecurrent(shape.XbcColumns + heads, shape.Columns, [shape.StateElements], 4e-6 * Math.Sqrt(stateSize + 4), Scan(shape));
    }

    [Theory]
    [InlineData(2, 4, 16, 16, false)]
    [InlineData(3, 3, 13, 37, true)]
    [InlineData(1, 4, 128, 128, false)]
    [InlineData(2, 2, 1, 3, true)]
    public void GatedDelta(int keyHeads, int valueHeads, int keyDim, int valueDim, bool decayPerRow)
    {
        var shape = new DeltaShape(keyHeads, valueHeads, keyDim, valueDim, 1.5f);
        AssertRecurrent(shape.QkvColumns + (valueHeads * (1 + (decayPerRow ? keyDim : 1))), shape.ValueColumns, [shape.StateElements], 1e-5, Delta(shape, decayPerRow));
    }

    [Theory]
    [InlineData(5, 70, 1)]
    [InlineData(3, 64, 16)]
    [InlineData(1, 33, 33)]
    public void Multiply(int rows, int columns, int span)
    {
        float[] x = Values(rows * columns), gate = Values(rows * columns / span, scale: 5);
        float[] expected = new float[4 * x.Length], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            Rows input = Upload(backend, x, rows, columns), by = Upload(backend, gate, rows, columns / span), output = Poisoned(backend, rows, columns);
            var at = 0;
            foreach (var kind in (ActivationKind[])[ActivationKind.Silu, ActivationKind.Sigmoid, ActivationKind.Identity])
            {
                backend.Multiply(input, by, kind, output, rows);
                Download(backend, output, rows, result.AsSpan(at));
                at += x.Length;
            }

            // A gate of one row for all: from one row to the next are no elements.
            backend.Multiply(input, by with { Stride = 0 }, ActivationKind.Identity, input, rows);
            Download(backend, input, rows, result.AsSpan(at));
        }

        AssertClose(expected, actual, 2e-6);
    }

    [Theory]
    [InlineData(12, 4, 9)]
    [InlineData(40, 2, 1)]
    public void NormsOfPartsShareAGainOrHaveTheirOwn(int partColumns, int groups, int rows)
    {
        var columns = partColumns * groups;
        float[] x = Values(rows * columns), gain = Values(columns);
        float[] expected = new float[2 * x.Length], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(gain).ToArray());
            var output = Poisoned(backend, rows, columns);
            backend.RmsNorm(Upload(backend, x, rows, columns), backend.LoadVector("shared", DType.F32, partColumns, pinned[0]), 1e-5f, output, rows, groups);
            Download(backend, output, rows, result.AsSpan(0, x.Length));
            backend.RmsNorm(Upload(backend, x, rows, columns), backend.LoadVector("own", DType.F32, columns, pinned[0]), 1e-5f, output, rows, groups);
            Download(backend, output, rows, result.AsSpan(x.Length));
        }

        AssertClose(expected, actual, 2e-6);
    }

    /// <summary>Preemption rests on this: a token computed again in another chunk, batch or slot has the bits it had.</summary>
    [Theory]
    [InlineData("convolution")]
    [InlineData("scan")]
    [InlineData("delta")]
    public void ATokenOfARecurrentLayerHasTheSameBitsWhateverTheChunkAndTheBatch(string layer)
    {
        const int Tokens = 41;
        ScanShape scan = new(12, 24, 3, 40);
        DeltaShape delta = new(3, 6, 48, 40);
        var (columns, outputs, size, run) = layer switch
        {
            "convolution" => (1000, 1000, 3000, Convolution(1000, 4, bias: true, silu: true)),
            "scan" => (scan.XbcColumns + scan.Heads, scan.Columns, scan.StateElements, Scan(scan)),
            _ => (delta.QkvColumns + (2 * delta.ValueHeads), delta.ValueColumns, delta.StateElements, Delta(delta, decayPerRow: false)),
        };
        var x = Values(Tokens * columns);
        using var pages = Backend.AllocateKvPages(KvLayout.Uniform(1, 1, 2, 16), [64]);
        var results = new (int Chunk, int Others)[] { (Tokens, 0), (1, 0), (7, 0), (Tokens, 3), (5, 2) }.Select(cut =>
        {
            using var states = PoisonedStates(Backend, [size]);
            var result = new float[Tokens * outputs];
            for (var start = 0; start < Tokens; start += cut.Chunk)
            {
                var count = Math.Min(cut.Chunk, Tokens - start);
                using var step = new Step(Backend, pages, states, new Random(1), 10, [.. Enumerable.Repeat((start, count), 1 + cut.Others)]);
                float[] own = x[(start * columns)..((start + count) * columns)];
                var rows = count * (1 + cut.Others);
                Rows input = Upload(Backend, [.. own, .. Values((rows - count) * columns)], rows, columns), output = Poisoned(Backend, rows, outputs);
                run(Backend, step.Inputs, input, output);
                Download(Backend, output, count, result.AsSpan(start * outputs, count * outputs));
            }

            return result;
        }).ToList();
        Assert.All(results, r => Assert.True(MemoryMarshal.AsBytes<float>(r).SequenceEqual(MemoryMarshal.AsBytes<float>(results[0])), $"seed {_seed}"));
    }

    private void AssertRecurrent(int columns, int outputs, int[] sizes, double tolerance, RecurrentLayer run)
    {
        var rows = RecurrentRounds.Select(r => r.Sum(s => s.Count)).ToArray();
        var inputs = rows.Select(r => Values(r * columns, scale: 2)).ToArray();
        float[] expected = new float[rows.Sum() * outputs], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pages = backend.AllocateKvPages(KvLayout.Uniform(1, 1, 2, 16), [16]);
            using var states = PoisonedStates(backend, sizes);
            var at = 0;
            for (var round = 0; round < rows.Length; round++)
            {
                using var step = new Step(backend, pages, states, new Random(1), 10, RecurrentRounds[round]);
                var output = Poisoned(backend, rows[round], outputs);
                run(backend, step.Inputs, Upload(backend, inputs[round], rows[round], columns), output);
                Download(backend, output, rows[round], result.AsSpan(at));
                at += rows[round] * outputs;
            }
        }

        AssertClose(expected, actual, tolerance);
    }

    private delegate void RecurrentLayer(IBackend backend, StepInputs step, Rows input, Rows output);

    private RecurrentLayer Convolution(int columns, int width, bool bias, bool silu)
    {
        float[] kernel = Values(columns * width), offset = Values(columns);
        return (backend, step, input, output) =>
        {
            using var pinned = new Pinned(Bytes(kernel), Bytes(offset));
            backend.ShortConvolution(step, 0, input, backend.LoadVector("k", DType.F32, kernel.Length, pinned[0]), bias ? backend.LoadVector("b", DType.F32, columns, pinned[1]) : null, silu ? ActivationKind.Silu : null, output);
        };
    }

    private RecurrentLayer Scan(ScanShape shape)
    {
        float[] decay = Values(shape.Heads, scale: 2), bias = Values(shape.Heads), skip = Values(shape.Heads);
        return (backend, step, input, output) =>
        {
            using var pinned = new Pinned(Bytes(decay), Bytes(bias), Bytes(skip));
            var weights = new ScanWeights(backend.LoadVector("a", DType.F32, shape.Heads, pinned[0]), backend.LoadVector("b", DType.F32, shape.Heads, pinned[1]), backend.LoadVector("d", DType.F32, shape.Heads, pinned[2]));
            backend.SelectiveScan(step, 0, input.Slice(0, shape.XbcColumns), input.Slice(shape.XbcColumns, shape.Heads), weights, shape, output);
        };
    }

    private RecurrentLayer Delta(DeltaShape shape, bool decayPerRow)
    {
        var columns = shape.ValueHeads * (decayPerRow ? shape.KeyDim : 1);
        float[] decay = Values(shape.ValueHeads), bias = Values(columns);
        return (backend, step, input, output) =>
        {
            using var pinned = new Pinned(Bytes(decay), Bytes(bias));
            var weights = new DeltaWeights(backend.LoadVector("a", DType.F32, shape.ValueHeads, pinned[0]), backend.LoadVector("b", DType.F32, columns, pinned[1]));
            backend.GatedDelta(step, 0, input.Slice(0, shape.QkvColumns), input.Slice(shape.QkvColumns, shape.ValueHeads), input.Slice(shape.QkvColumns + shape.ValueHeads, columns), weights, shape, output);
        };
    }

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    /// <summary>What a slot held before must not be seen.</summary>
    private static StateSlots PoisonedStates(IBackend backend, int[] sizes)
    {
        var states = backend.AllocateStateSlots(sizes, Slots);
        for (var i = 0; i < states.States; i++)
        {
            Poison(backend, states.State(i));
        }

        return states;
    }
}
