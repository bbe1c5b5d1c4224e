using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>A decode step's attention inputs on the card: random queries and pages, shuffled block tables, in several sets so that the cache is not what is measured.</summary>
internal sealed class KvPool
{
    public const int PageTokens = 16;
    private const int TileSlabs = 16384;
    private readonly AttentionCase _case;
    private readonly ushort[] _tile;
    private readonly int[][] _tables;
    private readonly int[] _starts;
    private readonly nint[] _deviceTables;
    private readonly nint[] _slabLists;
    private readonly nint _q;
    private readonly nint _positions;
    private readonly nint _deviceStarts;
    private readonly DeviceBuffer? _sinks;

    public KvPool(Card card, AttentionCase shape, int seed, bool repeatable = false)
    {
        _case = shape;
        var random = new Random(seed);
        _tile = new ushort[(long)TileSlabs * SlabElements];
        for (var i = 0; i < _tile.Length; i++)
        {
            _tile[i] = Encode((float)((random.NextDouble() * 3.4) - 1.7));
        }

        PagesPerSequence = [.. shape.Lengths.Select(l => (l + PageTokens - 1) / PageTokens)];
        var pages = PagesPerSequence.Sum();
        Bytes = 2L * pages * shape.KvHeads * SlabBytes;
        Sets = repeatable ? 1 : (int)Math.Clamp((440_000_000 / Bytes) + 1, 2, 400);
        TotalPages = pages * Sets;
        Keys = Pool(card, 0);
        Values = Pool(card, TileSlabs / 2);

        var order = Enumerable.Range(0, TotalPages).ToArray();
        random.Shuffle(order);
        _tables = [.. Enumerable.Range(0, Sets).Select(s => order[(s * pages)..((s + 1) * pages)])];
        _starts = new int[shape.Lengths.Length];
        for (var s = 1; s < _starts.Length; s++)
        {
            _starts[s] = _starts[s - 1] + PagesPerSequence[s - 1];
        }

        _deviceTables = [.. _tables.Select(t => card.Upload<int>(t).Value)];
        _slabLists = [.. _tables.Select(t => card.Upload<int>(SlabsOf(t)).Value)];
        _deviceStarts = card.Upload<int>(_starts).Value;
        _positions = card.Upload<int>([.. shape.Lengths.Select(l => l - 1)]).Value;
        Q = [.. Enumerable.Range(0, shape.Lengths.Length * shape.Heads * shape.HeadDim).Select(_ => (float)((random.NextDouble() * 3.4) - 1.7) * shape.Sharpness)];
        if (shape.QType != 0)
        {
            var encoded = Array.ConvertAll(Q, Encode);
            Q = Array.ConvertAll(encoded, Decode);
            _q = card.Upload<ushort>(encoded).Value;
        }
        else
        {
            _q = card.Upload<float>(Q).Value;
        }

        if (shape.Sinks)
        {
            SinkValues = [.. Enumerable.Range(0, shape.Heads).Select(_ => (float)((random.NextDouble() * 6) - 1))];
            _sinks = new DeviceBuffer(card.Upload<float>(SinkValues).Value, DType.F32, shape.Heads, owner: null);
        }
    }

    public int SlabElements => PageTokens * _case.HeadDim;
    public int SlabBytes => SlabElements * 2;
    public int[] PagesPerSequence { get; }

    /// <summary>Of keys and values of one set.</summary>
    public long Bytes { get; }
    public int Sets { get; }
    public int TotalPages { get; }
    public nint Keys { get; }
    public nint Values { get; }
    public float[] Q { get; }
    public float[]? SinkValues { get; }
    public int Slabs => PagesPerSequence.Sum() * _case.KvHeads;

    public nint SlabList(int set) => _slabLists[set % Sets];

    public AttentionShape Shape => new(_case.Heads, _case.KvHeads, _case.HeadDim, _case.Scale, _case.Window, _case.SoftCap, _case.Growth, _sinks);

    public PagedAttentionInputs Inputs(int set, nint output) => new()
    {
        Q = _q,
        QStride = _case.Heads * _case.HeadDim,
        Output = output,
        OutputStride = _case.Heads * _case.HeadDim,
        Keys = Keys,
        Values = Values,
        Positions = _positions,
        BlockTableStarts = _deviceStarts,
        BlockTables = _deviceTables[set % Sets],
        Sequences = _case.Lengths.Length,
        Shape = Shape,
    };

    /// <summary>The same with one sequence alone.</summary>
    public PagedAttentionInputs Alone(int sequence, nint output)
    {
        var row = (long)sequence * _case.Heads * _case.HeadDim;
        return new()
        {
            Q = _q + (nint)(row * (_case.QType == 0 ? 4 : 2)),
            QStride = _case.Heads * _case.HeadDim,
            Output = output + (nint)(row * 4),
            OutputStride = _case.Heads * _case.HeadDim,
            Keys = Keys,
            Values = Values,
            Positions = _positions + (sequence * 4),
            BlockTableStarts = _deviceStarts + (sequence * 4),
            BlockTables = _deviceTables[0],
            Sequences = 1,
            Shape = Shape,
        };
    }

    /// <summary>Key or value element of a sequence's token, in set 0.</summary>
    public float Element(bool value, int sequence, int kvHead, int token, int d)
    {
        var slab = ((long)_tables[0][_starts[sequence] + (token / PageTokens)] * _case.KvHeads) + kvHead;
        return Decode(_tile[((slab + (value ? TileSlabs / 2 : 0)) % TileSlabs * SlabElements) + Position(token % PageTokens, d)]);
    }

    /// <summary>Makes NaN of everything in the last pages that lies beyond the contexts (set 0).</summary>
    public void Poison(Card card)
    {
        for (var s = 0; s < _starts.Length; s++)
        {
            var last = (_case.Lengths[s] - 1) / PageTokens;
            for (var head = 0; head < _case.KvHeads; head++)
            {
                var slab = ((long)_tables[0][_starts[s] + last] * _case.KvHeads) + head;
                foreach (var (pool, shift) in ((nint, int)[])[(Keys, 0), (Values, TileSlabs / 2)])
                {
                    var data = _tile.AsSpan((int)((slab + shift) % TileSlabs) * SlabElements, SlabElements).ToArray();
                    for (var t = (_case.Lengths[s] - 1) % PageTokens + 1; t < PageTokens; t++)
                    {
                        data.AsSpan(t * _case.HeadDim, _case.HeadDim).Fill(0x7fff);
                    }

                    card.Upload<ushort>(pool + (nint)(slab * SlabBytes), data);
                }
            }
        }
    }

    /// <summary>Where element d of token t lies in a slab: chunks of 8 elements, turned by the token (kv_slab.cuh).</summary>
    private int Position(int t, int d)
    {
        int chunks = _case.HeadDim / 8, group = chunks % 8 == 0 ? 8 : chunks % 4 == 0 ? 4 : chunks % 2 == 0 ? 2 : 1;
        var shift = group switch { 8 => 0, 4 => 1, 2 => 2, _ => 3 };
        return (t * _case.HeadDim) + (((d / 8) ^ ((t >> shift) & (group - 1))) * 8) + (d % 8);
    }

    private int[] SlabsOf(int[] table)
    {
        var slabs = new List<int>();
        for (var s = 0; s < _starts.Length; s++)
        {
            for (var head = 0; head < _case.KvHeads; head++)
            {
                for (var p = 0; p < PagesPerSequence[s]; p++)
                {
                    slabs.Add((table[_starts[s] + p] * _case.KvHeads) + head);
                }
            }
        }

        return [.. slabs];
    }

    private nint Pool(Card card, int firstSlab)
    {
        var total = (long)TotalPages * _case.KvHeads;
        var memory = card.Allocate(total * SlabBytes);
        for (long done = 0; done < total;)
        {
            var from = (int)((done + firstSlab) % TileSlabs);
            var count = (int)Math.Min(total - done, TileSlabs - from);
            card.Upload<ushort>(memory.Value + (nint)(done * SlabBytes), _tile.AsSpan(from * SlabElements, count * SlabElements));
            done += count;
        }

        return memory.Value;
    }

    private ushort Encode(float v)
    {
        if (_case.KvType == 1)
        {
            return BitConverter.HalfToUInt16Bits((Half)v);
        }

        var bits = BitConverter.SingleToUInt32Bits(v);
        return (ushort)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }

    private float Decode(ushort v) => _case.KvType == 1 ? (float)BitConverter.UInt16BitsToHalf(v) : BitConverter.UInt32BitsToSingle((uint)v << 16);
}
