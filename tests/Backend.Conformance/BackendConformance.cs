using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>What every backend must do, verb by verb: fresh random inputs, odd sizes, outputs poisoned with NaN, held against the naive backend, which sums in double.
/// A backend joins by deriving a class that makes it.</summary>
public abstract partial class BackendConformance : IDisposable
{
    private static readonly ConditionalWeakTable<IBackend, List<DeviceBuffer>> Held = [];

    private readonly int _seed = Random.Shared.Next();
    private readonly Random _random;
    private readonly ITestOutputHelper _output;
    private IBackend? _reference;
    private IBackend? _backend;

    protected BackendConformance(ITestOutputHelper output)
    {
        (_output, _random) = (output, new Random(_seed));
        output.WriteLine($"seed {_seed}");
    }

    /// <summary>Factor on every tolerance: 1 for arithmetic and a cache in float32.</summary>
    private protected virtual double Slack => 1;

    /// <summary>Of attention over long contexts, whatever the slack: rounded weights of the values count there.</summary>
    private protected virtual double LongContextTolerance => 1e-5;

    /// <summary>False where a token that decodes is attended by another kernel than one of a prompt.</summary>
    private protected virtual bool AttendsAlikeInAnyChunk => true;

    /// <summary>What keys and values are rounded to: the naive backend rounds likewise.</summary>
    private protected virtual DType Cache => DType.F32;

    private IBackend Backend => _backend ??= Create();

    private IBackend Reference => _reference ??= new ReferenceBackend(Cache);

    [Theory]
    [InlineData("BF16", 1, 8, 32)]
    [InlineData("BF16", 1, 257, 576)]
    [InlineData("BF16", 2, 33, 96)]
    [InlineData("BF16", 5, 13, 67)]
    [InlineData("BF16", 7, 130, 1536)]
    [InlineData("BF16", 64, 65, 160)]
    [InlineData("F16", 1, 9, 64)]
    [InlineData("F16", 4, 31, 100)]
    [InlineData("F16", 23, 40, 512)]
    [InlineData("F32", 1, 1, 1)]
    [InlineData("F32", 3, 5, 7)]
    [InlineData("F32", 19, 34, 250)]
    public void Linear(string typeName, int rows, int outputs, int inputs)
    {
        var type = Enum.Parse<DType>(typeName);
        var second = (outputs / 2) + 1;
        var (x, expected) = (InputsOfProducts(rows * inputs), new float[rows * (outputs + second)]);
        byte[] a = WeightBytes(type, outputs * inputs), b = WeightBytes(type, second * inputs);
        var bias = Values(second);
        var actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(a, b, MemoryMarshal.AsBytes<float>(bias).ToArray());
            Projection[] projections =
            [
                new(backend.LoadMatrix("a", type, outputs, inputs, pinned[0]), Bias: null),
                new(backend.LoadMatrix("b", type, second, inputs, pinned[1]), backend.LoadVector("bias", DType.F32, second, pinned[2])),
            ];
            Rows input = Upload(backend, x, rows, inputs), output = Poisoned(backend, rows, outputs + second);
            backend.Linear(input, projections, output, rows);
            Download(backend, output, rows, result);
        }

        AssertClose(expected, actual, 2e-6 * Math.Sqrt(inputs));
    }

    [Fact]
    public void LinearOfMatricesOfDifferentTypes()
    {
        const int Rows = 3, Inputs = 70;
        DType[] types = [DType.BF16, DType.F32, DType.F32, DType.F16];
        int[] outputs = [9, 4, 8, 5];
        var x = InputsOfProducts(Rows * Inputs);
        var weights = types.Select((t, i) => WeightBytes(t, outputs[i] * Inputs)).ToArray();
        float[] expected = new float[Rows * outputs.Sum()], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(weights);
            Projection[] projections = [.. types.Select((t, i) => new Projection(backend.LoadMatrix("w", t, outputs[i], Inputs, pinned[i]), Bias: null))];
            var output = Poisoned(backend, Rows, outputs.Sum());
            backend.Linear(Upload(backend, x, Rows, Inputs), projections, output, Rows);
            Download(backend, output, Rows, result);
        }

        AssertClose(expected, actual, 2e-5);
    }

    [Theory]
    [InlineData(1, 576, 9)]
    [InlineData(3, 64, 1)]
    [InlineData(5, 37, 1)]
    [InlineData(40, 130, 2)]
    public void Norms(int rows, int columns, int groups)
    {
        float[] x = Values(rows * columns), addend = Values(rows * columns), gain = Values(columns), bias = Values(columns);
        float[] expected = new float[9 * rows * columns], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(gain).ToArray(), MemoryMarshal.AsBytes<float>(bias).ToArray());
            DeviceBuffer g = backend.LoadVector("gain", DType.F32, columns, pinned[0], offset: 1), b = backend.LoadVector("bias", DType.F32, columns, pinned[1]);
            Rows input = Upload(backend, x, rows, columns), add = Upload(backend, addend, rows, columns), output = Poisoned(backend, rows, columns);
            var rest = result.AsMemory();
            void Keep(Rows view)
            {
                Download(backend, view, rows, rest.Span[..(rows * columns)]);
                rest = rest[(rows * columns)..];
            }

            backend.RmsNorm(input, g, 1e-5f, output, rows, groups);
            Keep(output);
            backend.LayerNorm(input, g, b, 1e-5f, output, rows);
            Keep(output);
            backend.LayerNorm(output, g, bias: null, 1e-5f, output, rows);
            Keep(output);
            backend.AddRmsNorm(input, add, 0.7f, g, 1e-5f, output, rows);
            Keep(output);
            Keep(input);
            backend.Add(input, output, -1.5f, rows);
            Keep(input);
            backend.MatchMagnitude(input, add, 0.4f, output, rows);
            Keep(output);
            backend.MatchMagnitude(output, input, 1e-5f, output, rows);
            Keep(output);
            backend.CutBelow(output, 0.7f, rows);
            Keep(output);
        }

        AssertClose(expected, actual, 4e-6);
    }

    [Theory]
    [InlineData(0, 1, 1536)]
    [InlineData(0, 3, 48)]
    [InlineData(1, 9, 33)]
    [InlineData(2, 2, 70)]
    [InlineData(2, 9, 33)]
    [InlineData(3, 5, 40)]
    [InlineData(4, 3, 21)]
    [InlineData(5, 3, 53)]
    [InlineData(5, 9, 64)]
    public void Activations(int kind, int rows, int columns)
    {
        var activation = new Activation((ActivationKind)kind, P: 0.8f, N: 0.6f, Beta: 0.5f, Epsilon: -1e-6f, Alpha: 1.7f, Limit: 2);
        var x = Values(rows * 2 * columns, scale: 4);
        (x[0], x[1]) = (-80, 80);
        float[] expected = new float[2 * rows * columns], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            Rows input = Upload(backend, x, rows, 2 * columns), output = Poisoned(backend, rows, columns);
            backend.GatedActivation(input, activation, output, rows);
            Download(backend, output, rows, result.AsSpan(0, rows * columns));
            backend.Activate(input.Slice(0, columns), activation, output, rows);
            Download(backend, output, rows, result.AsSpan(rows * columns));
        }

        AssertClose(expected, actual, 2e-6);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(3f)]
    public void ScaleAndCap(float cap)
    {
        const int Rows = 3, Columns = 45;
        var x = Values(Rows * Columns, scale: 20);
        float[] expected = new float[x.Length], actual = new float[x.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            var view = Upload(backend, x, Rows, Columns);
            backend.ScaleAndCap(view, 0.5f, cap, Rows);
            Download(backend, view, Rows, result);
        }

        AssertClose(expected, actual, 2e-6);
    }

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    [InlineData("F16")]
    public void EmbedAndGatherRows(string typeName)
    {
        var type = Enum.Parse<DType>(typeName);
        const int Vocabulary = 50, Columns = 37;
        var table = WeightBytes(type, Vocabulary * Columns);
        float[] expected = new float[11 * Columns], actual = new float[expected.Length];
        var seed = _random.Next();
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(table);
            using var pages = backend.AllocateKvPages(KvLayout.Uniform(1, 1, 16, 16), [8]);
            using var step = new Step(backend, pages, new Random(seed), Vocabulary + 40, (0, 5), (3, 1), (0, 2));
            Rows output = Poisoned(backend, 8, Columns), gathered = Poisoned(backend, 3, Columns);
            backend.Embed(step.Inputs, step.Inputs.TokenIds, backend.LoadMatrix("table", type, Vocabulary, Columns, pinned[0]), 0.5f, output);
            backend.GatherRows(output, step.Inputs.SampleRows, gathered, 3);
            Download(backend, output, 8, result.AsSpan(0, 8 * Columns));
            Download(backend, gathered, 3, result.AsSpan(8 * Columns));
        }

        Assert.Equal(expected, actual);
    }

    [Theory]
    [InlineData(9, 3, 64, 64, 0, 0)]
    [InlineData(4, 1, 32, 32, 12, 0)]
    [InlineData(4, 4, 16, 16, 0, 5)]
    [InlineData(6, 2, 80, 40, 16, 2)]
    [InlineData(2, 1, 128, 128, 1, 0)]
    [InlineData(3, 3, 6, 6, 33, 0)]
    [InlineData(8, 1, 256, 64, 0, 0)]
    [InlineData(2, 2, 32, 0, 0, 0)]
    public void RotaryTableRotateAndStoreAndPagedAttention(int heads, int kvHeads, int headDim, int rotaryDim, int window, float softCap)
    {
        var plain = new AttentionShape(heads, kvHeads, headDim, 1f / MathF.Sqrt(headDim), window, softCap, heads % 3 == 0 ? new ScaleGrowth(0.3f, 20) : default);
        var pairs = heads % 2 == 0 ? RotaryPairs.Neighbours : RotaryPairs.Halves;
        var frequencies = new RotaryFrequencies([.. Enumerable.Range(0, rotaryDim / 2).Select(i => MathF.Pow(10000, -2f * i / rotaryDim))], 1.1f, heads > 4 ? new DynamicBase(10000, 2, 40) : null,
            new LongFrequencies([.. Enumerable.Range(0, rotaryDim / 2).Select(i => 0.5f / (i + 1))], 45));

        // Contexts that end inside, at and just behind a page; a prefill, a chunk in the middle, decodes.
        (int Start, int Count)[][] rounds = [[(0, 37), (0, 16), (0, 1), (0, 50)], [(37, 1), (16, 17), (1, 1), (50, 70)]];
        var rows = rounds.Select(r => r.Sum(s => s.Count)).ToArray();
        var qkv = rows.Select(r => Values(r * plain.QkvColumns)).ToArray();
        var sinks = Values(heads, scale: 3);
        float[] expected = new float[rows.Sum() * (plain.QueryColumns + rotaryDim)], actual = new float[expected.Length];
        var seed = _random.Next();
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(sinks).ToArray());
            var shape = plain with { Sinks = heads % 2 == 0 ? backend.LoadVector("sinks", DType.F32, heads, pinned[0]) : null };
            using var pages = backend.AllocateKvPages(KvLayout.Uniform(2, kvHeads, headDim, 16), [40]);
            Poison(backend, pages);
            var rest = result.AsMemory();
            for (var round = 0; round < rounds.Length; round++)
            {
                // The same pages in every round: the first of a sequence's table are those of the round before.
                using var step = new Step(backend, pages, new Random(seed), 10, [.. rounds[round].Select((s, i) => (s.Start, s.Count))]);
                using var whole = new Step(backend, pages, new Random(seed), 10, [.. rounds[^1].Select(s => (0, s.Start + s.Count))]);
                var inputs = With(step.Inputs, whole.Inputs);
                Rows table = Poisoned(backend, rows[round], rotaryDim), output = Poisoned(backend, rows[round], shape.QueryColumns);
                var input = Upload(backend, qkv[round], rows[round], shape.QkvColumns);
                backend.RotaryTable(inputs, frequencies, table);
                backend.RotateAndStore(inputs, 1, input, table, pairs, shape);
                backend.PagedAttention(inputs, 1, input.Slice(0, shape.QueryColumns), output, shape);
                Download(backend, table, rows[round], rest.Span[..(rows[round] * rotaryDim)]);
                rest = rest[(rows[round] * rotaryDim)..];
                Download(backend, output, rows[round], rest.Span[..(rows[round] * shape.QueryColumns)]);
                rest = rest[(rows[round] * shape.QueryColumns)..];
            }
        }

        AssertClose(expected, actual, 5e-6);
    }

    /// <summary>Preemption and prefix sharing rest on this: who shares the batch, the chunk or the threads changes no bit.</summary>
    [Theory]
    [InlineData("BF16")]
    [InlineData("F16")]
    [InlineData("F32")]
    public void ARowOfAProductHasTheSameBitsInAnyBatch(string typeName)
    {
        var type = Enum.Parse<DType>(typeName);
        const int Rows = 29, Outputs = 77, Inputs = 203;
        var x = Values(Rows * Inputs);
        using var pinned = new Pinned(WeightBytes(type, Outputs * Inputs));
        Projection[] projections = [new(Backend.LoadMatrix("w", type, Outputs, Inputs, pinned[0]), Bias: null)];
        var alone = new float[Rows * Outputs];
        for (var row = 0; row < Rows; row++)
        {
            var output = Poisoned(Backend, 1, Outputs);
            Backend.Linear(Upload(Backend, x[(row * Inputs)..((row + 1) * Inputs)], 1, Inputs), projections, output, 1);
            Download(Backend, output, 1, alone.AsSpan(row * Outputs, Outputs));
        }

        for (var rows = 2; rows <= Rows; rows++)
        {
            var together = new float[rows * Outputs];
            var output = Poisoned(Backend, rows, Outputs);
            Backend.Linear(Upload(Backend, x[..(rows * Inputs)], rows, Inputs), projections, output, rows);
            Download(Backend, output, rows, together);
            Assert.True(MemoryMarshal.AsBytes<float>(together).SequenceEqual(MemoryMarshal.AsBytes<float>(alone.AsSpan(0, together.Length))), $"{rows} rows, seed {_seed}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(21)]
    public void ARowOfAttentionHasTheSameBitsWhateverTheChunk(int window)
    {
        Assert.SkipUnless(AttendsAlikeInAnyChunk, "this backend attends tokens that decode by another kernel");
        var shape = new AttentionShape(6, 2, 48, 0.2f, window);
        var frequencies = new RotaryFrequencies([.. Enumerable.Range(0, 24).Select(i => MathF.Pow(10000, -i / 24f))], 1f);
        const int Tokens = 75;
        var qkv = Values(Tokens * shape.QkvColumns);
        var seed = _random.Next();
        var results = new[] { Tokens, 1, 7, 16, 40 }.Select(chunk =>
        {
            using var pages = Backend.AllocateKvPages(KvLayout.Uniform(1, 2, 48, 16), [8]);
            Poison(Backend, pages);
            var result = new float[Tokens * shape.QueryColumns];
            using var whole = new Step(Backend, pages, new Random(seed), 10, (0, Tokens));
            for (var start = 0; start < Tokens; start += chunk)
            {
                var count = Math.Min(chunk, Tokens - start);
                using var step = new Step(Backend, pages, new Random(seed), 10, (start, count));
                var inputs = With(step.Inputs, whole.Inputs);
                var input = Upload(Backend, qkv[(start * shape.QkvColumns)..((start + count) * shape.QkvColumns)], count, shape.QkvColumns);
                Rows table = Poisoned(Backend, count, 48), output = Poisoned(Backend, count, shape.QueryColumns);
                Backend.RotaryTable(inputs, frequencies, table);
                Backend.RotateAndStore(inputs, 0, input, table, RotaryPairs.Halves, shape);
                Backend.PagedAttention(inputs, 0, input.Slice(0, shape.QueryColumns), output, shape);
                Download(Backend, output, count, result.AsSpan(start * shape.QueryColumns, count * shape.QueryColumns));
            }

            return result;
        }).ToList();
        Assert.All(results, r => Assert.True(MemoryMarshal.AsBytes<float>(r).SequenceEqual(MemoryMarshal.AsBytes<float>(results[0])), $"seed {_seed}"));
    }

    public void Dispose()
    {
        _backend?.Dispose();
        _reference?.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected abstract IBackend Create();

    private IEnumerable<(IBackend Backend, float[] Result)> Both(float[] expected, float[] actual) => [(Reference, expected), (Backend, actual)];

    /// <summary>The tokens of one step with the block tables of another.</summary>
    private static StepInputs With(StepInputs step, StepInputs tables) => new()
    {
        TokenCount = step.TokenCount,
        SequenceCount = step.SequenceCount,
        SampleCount = step.SampleCount,
        TokenIds = step.TokenIds,
        Positions = step.Positions,
        RotaryLengths = step.RotaryLengths,
        RowStarts = step.RowStarts,
        BlockTableStarts = tables.BlockTableStarts,
        TableStride = tables.TableStride,
        BlockTables = tables.BlockTables,
        SampleRows = step.SampleRows,
        Slots = step.Slots,
        Pages = step.Pages,
        States = step.States,
    };

    private float[] Values(int count, float scale = 1) => [.. Enumerable.Range(0, count).Select(_ => scale * (float)((_random.NextDouble() * 2) - 1))];

    /// <summary>True for a backend that rounds the activations of products to bfloat16.</summary>
    private protected virtual bool RoundsActivations => false;

    /// <summary>Inputs of products: such as rounding leaves alone, for a backend that rounds.</summary>
    private float[] InputsOfProducts(int count) => RoundsActivations ? [.. Values(count).Select(v => FloatFormats.BFloat16ToSingle(FloatFormats.SingleToBFloat16(v)))] : Values(count);

    /// <summary>Random numbers of about unit size in a stored type, some of them subnormal.</summary>
    private byte[] WeightBytes(DType type, int count)
    {
        var values = Values(count);
        return type switch
        {
            DType.F32 => MemoryMarshal.AsBytes<float>(values).ToArray(),
            DType.F16 => MemoryMarshal.AsBytes<Half>(values.Select((v, i) => (Half)(i % 9 == 0 ? v * 1e-6f : v)).ToArray()).ToArray(),
            _ => MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray(),
        };
    }

    private static Rows Upload(IBackend backend, float[] values, int rows, int columns)
    {
        var view = Allocate(backend, rows, columns);
        for (var row = 0; row < rows; row++)
        {
            Write(backend, view, row, values.AsSpan(row * columns, columns));
        }

        return view;
    }

    /// <summary>Rows that live as long as their backend: verbs know addresses alone, and a collection during one would give back the memory of an input that nobody names behind it.</summary>
    private static Rows Allocate(IBackend backend, int rows, int columns)
    {
        var view = backend.AllocateRows(rows, columns);
        Held.GetOrCreateValue(backend).Add(view.Buffer);
        return view;
    }

    private static Rows Poisoned(IBackend backend, int rows, int columns)
    {
        var view = Allocate(backend, rows, columns);
        var poison = new float[columns];
        Array.Fill(poison, float.NaN);
        for (var row = 0; row < rows; row++)
        {
            Write(backend, view, row, poison);
        }

        return view;
    }

    private static void Poison(IBackend backend, KvPages pages)
    {
        for (var layer = 0; layer < pages.Layers; layer++)
        {
            Poison(backend, pages.Keys(layer));
            Poison(backend, pages.Values(layer));
        }
    }

    /// <summary>All bits set is not a number in any type.</summary>
    private static unsafe void Poison(IBackend backend, DeviceBuffer buffer)
    {
        var bytes = checked((int)(buffer.Length * buffer.Type.ByteSize()));
        if (backend is CudaBackend cuda)
        {
            var poison = new byte[bytes];
            Array.Fill(poison, (byte)0xFF);
            cuda.Write<byte>(poison, buffer);
        }
        else
        {
            new Span<byte>((void*)buffer.Address, bytes).Fill(0xFF);
        }
    }

    /// <summary>Only host memory lets itself be written to through what was downloaded.</summary>
    private static void Write(IBackend backend, Rows rows, int row, ReadOnlySpan<float> values)
    {
        if (backend is CudaBackend cuda)
        {
            cuda.Write(values, rows.Buffer, rows.Column + ((long)row * rows.Stride));
        }
        else
        {
            values.CopyTo(backend.Download(rows, row));
        }
    }

    private static void Download(IBackend backend, Rows rows, int count, Span<float> result)
    {
        for (var row = 0; row < count; row++)
        {
            backend.Download(rows, row).CopyTo(result[(row * rows.Columns)..]);
        }
    }

    private void AssertClose(float[] expected, float[] actual, double tolerance)
    {
        var worst = expected.Zip(actual, (e, a) => Math.Abs(e - a) / Math.Max(1, Math.Abs(e))).Select((difference, index) => (difference, index)).MaxBy(d => double.IsNaN(d.difference) ? double.MaxValue : d.difference);
        tolerance *= Slack;
        _output.WriteLine($"worst {worst.difference:g3} of {tolerance:g3}");
        Assert.True(worst.difference <= tolerance, $"element {worst.index}: {actual[worst.index]} for {expected[worst.index]}, seed {_seed}");
    }

    /// <summary>Arrays at fixed addresses, offset by two bytes: a checkpoint promises no alignment.</summary>
    private sealed unsafe class Pinned : IDisposable
    {
        private readonly nint[] _blocks;

        public Pinned(params byte[][] arrays) => _blocks = [.. arrays.Select(a =>
        {
            var block = (byte*)NativeMemory.Alloc((nuint)a.Length + 2) + 2;
            a.CopyTo(new Span<byte>(block, a.Length));
            return (nint)block;
        })];

        public nint this[int index] => _blocks[index];

        public void Dispose() => Array.ForEach(_blocks, b => NativeMemory.Free((byte*)b - 2));
    }
}
