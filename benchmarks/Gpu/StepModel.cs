using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>Sizes of a Llama.</summary>
internal sealed record StepShape(string Name, int Layers, int Hidden, int Inner, int Heads, int KvHeads, int HeadDim, int Vocabulary = 128256)
{
    public static StepShape Small => new("Llama-3.2-1B", 16, 2048, 8192, 32, 8, 64);
    public static StepShape Large => new("Llama-3.1-8B", 32, 4096, 14336, 32, 8, 128);

    /// <summary>Of the matrices that a step reads: all layers and the head, in bf16.</summary>
    public long WeightBytes => 2L * ((Layers * Hidden * (((Heads + (2L * KvHeads)) * HeadDim) + ((long)Heads * HeadDim) + (3L * Inner))) + ((long)Vocabulary * Hidden));

    /// <summary>Of the keys and values that a step reads, in bf16.</summary>
    public long KvBytes(int batch, int context) => 4L * Layers * KvHeads * HeadDim * batch * context;
}

/// <summary>A model of random weights on the card, with random pages, and one decode step of it.</summary>
internal sealed unsafe class StepModel : IDisposable
{
    private const int Tile = 1 << 24;
    private readonly CudaBackend _backend;
    private readonly ushort* _random;
    private readonly long _elements;

    public StepModel(CudaBackend backend, StepShape shape, int batch, int tokens = 0)
    {
        (_backend, Shape) = (backend, shape);
        _elements = ((long)shape.Vocabulary * shape.Hidden) + Tile;
        _random = (ushort*)NativeMemory.Alloc(checked((nuint)_elements * 2));
        Parallel.For(0, (int)((_elements + Tile - 1) / Tile), part =>
        {
            var random = new Random(part);
            var to = new Span<ushort>(_random + ((long)part * Tile), (int)Math.Min(Tile, _elements - ((long)part * Tile)));
            random.NextBytes(MemoryMarshal.AsBytes(to));
            foreach (ref var v in to)
            {
                // A sign, an exponent of 2^-6 or 2^-5, seven random bits.
                v = (ushort)((v & 0x80ff) | 0x3c80);
            }
        });
        var turn = 0;
        Projection Matrix(int outputs, int inputs) => new(backend.LoadMatrix("w", DType.BF16, outputs, inputs, (nint)(_random + (8L * (turn++ % 1000)))), Bias: null);
        var ones = Enumerable.Repeat(1f, shape.Hidden).ToArray();
        Norm Norm()
        {
            fixed (float* values = ones)
            {
                return new(backend.LoadVector("norm", DType.F32, shape.Hidden, (nint)values), Bias: null, 1e-5f, Centered: false);
            }
        }

        Attention = new AttentionShape(shape.Heads, shape.KvHeads, shape.HeadDim, 1f / MathF.Sqrt(shape.HeadDim));
        for (var i = 0; i < shape.Layers; i++)
        {
            Projection[] qkv = [Matrix(Attention.QueryColumns, shape.Hidden), Matrix(Attention.KeyColumns, shape.Hidden), Matrix(Attention.KeyColumns, shape.Hidden)];
            Blocks.Add(new Block(Norm(), new Attention(i, Attention, 0, RotaryPairs.Halves, qkv, [Matrix(shape.Hidden, Attention.QueryColumns)])));
            Blocks.Add(new Block(Norm(), new GatedMlp([Matrix(shape.Inner, shape.Hidden), Matrix(shape.Inner, shape.Hidden)], [Matrix(shape.Hidden, shape.Inner)], ActivationKind.Silu)));
        }

        var table = Matrix(shape.Vocabulary, shape.Hidden);
        Head = new Head(Norm(), [table]);
        Rotary = new RotaryFrequencies([.. Enumerable.Range(0, shape.HeadDim / 2).Select(i => (float)Math.Pow(500000, -2.0 * i / shape.HeadDim))], Magnitude: 1);
        Scratch = new TransformerScratch(backend, Math.Max(batch, tokens), batch, new TransformerWidths(shape.Hidden, shape.Inner, Attention, [shape.HeadDim], shape.Vocabulary));
        Decoder = new Decoder(backend, new Embedding(table.Matrix), [Rotary], [.. Blocks], Head, Scratch);
    }

    public StepShape Shape { get; }
    public AttentionShape Attention { get; }
    public List<Block> Blocks { get; } = [];
    public Head Head { get; }
    public RotaryFrequencies Rotary { get; }
    public TransformerScratch Scratch { get; }
    public Decoder Decoder { get; }

    /// <summary>Pages of random keys and values for so many sequences of one length, the last token of each being the step's own.</summary>
    public (StepInputs Step, IDisposable Memory) Inputs(int batch, int context)
    {
        int each = (context + 15) / 16, pages = each * batch;
        var layout = KvLayout.Uniform(Shape.Layers, Shape.KvHeads, Shape.HeadDim, 16);
        var kv = _backend.AllocateKvPages(layout, [pages]);
        for (var layer = 0; layer < Shape.Layers; layer++)
        {
            foreach (var buffer in (DeviceBuffer[])[kv.Keys(layer), kv.Values(layer)])
            {
                for (long at = 0; at < buffer.Length; at += Tile)
                {
                    _backend.Write(new ReadOnlySpan<ushort>(_random + (layer * 4096L), (int)Math.Min(Tile, buffer.Length - at)), buffer, at);
                }
            }
        }

        var order = Enumerable.Range(0, pages).ToArray();
        new Random(1).Shuffle(order);
        int[] integers =
        [
            .. Enumerable.Range(0, batch).Select(s => 1000 + s), .. Enumerable.Repeat(context - 1, batch), .. Enumerable.Repeat(context, batch), .. Enumerable.Range(0, batch + 1), .. Enumerable.Range(0, batch).Select(s => s * each),
            .. Enumerable.Range(0, batch), .. order,
        ];
        var device = _backend.AllocateInts(integers.Length);
        _backend.Upload(integers, device);
        var states = _backend.AllocateStateSlots([], batch);
        Ints At(int start) => new(device, start);
        var step = new StepInputs
        {
            TokenCount = batch,
            SequenceCount = batch,
            SampleCount = batch,
            TokenIds = At(0),
            Positions = At(batch),
            RotaryLengths = At(2 * batch),
            RowStarts = At(3 * batch),
            BlockTableStarts = At((4 * batch) + 1),
            TableStride = batch,
            SampleRows = At((5 * batch) + 1),
            Slots = At((5 * batch) + 1),
            BlockTables = At((6 * batch) + 1),
            Pages = kv,
            States = states,
        };
        return (step, new Several(kv, device, states));
    }

    /// <summary>Tokens <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of one prompt, whose last gives logits; the pages before hold random keys and values.</summary>
    public StepInputs Chunk(KvPages pages, DeviceBuffer integers, int start, int count)
    {
        int[] values = [.. Enumerable.Range(1000, count), .. Enumerable.Range(start, count), .. Enumerable.Range(start + 1, count), 0, count, 0, count - 1, 0, .. Enumerable.Range(0, pages.TotalPages)];
        _backend.Upload(values, integers);
        Ints At(int at) => new(integers, at);
        return new StepInputs
        {
            TokenCount = count,
            SequenceCount = 1,
            SampleCount = 1,
            TokenIds = At(0),
            Positions = At(count),
            RotaryLengths = At(2 * count),
            RowStarts = At(3 * count),
            BlockTableStarts = At((3 * count) + 2),
            TableStride = 1,
            SampleRows = At((3 * count) + 3),
            Slots = At((3 * count) + 4),
            BlockTables = At((3 * count) + 5),
            Pages = pages,
            States = _backend.AllocateStateSlots([], 1),
        };
    }

    public void Dispose()
    {
        Decoder.Dispose();
        NativeMemory.Free(_random);
    }

    private sealed class Several(params IDisposable[] parts) : IDisposable
    {
        public void Dispose() => Array.ForEach(parts, p => p.Dispose());
    }
}
