using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>How keys and values lie in the pages of one (page, KV head), by their type.
/// <para>Elements come in packs as wide as a float: one float32, two bfloat16 or four int8. Keys lie transposed, <c>[headDim / pack][pageSize][pack]</c>, so that the lanes of a vector are tokens;
/// values, and keys that hold values, <c>[pageSize / pack][size][pack]</c>: a pack is of neighbouring tokens there. Either way a vector of packs gives, shifted, vectors in the order of memory.
/// int8 is value / scale with one float32 scale for each token and head, its largest magnitude / 127; the scales, <c>[pageSize]</c>, follow the slab's elements.</para></summary>
internal static unsafe class KvSlabs
{
    /// <summary>Elements in a pack.</summary>
    public static int Pack(DType type) => type switch { DType.F32 => 1, DType.BF16 => 2, DType.I8 => 4, _ => throw new ArgumentOutOfRangeException(nameof(type), type, null) };

    /// <summary>Bytes of a slab whose tokens have <paramref name="size"/> elements; 0 for none.</summary>
    public static long Bytes(DType type, int size, int pageSize) =>
        size == 0 ? 0 : checked((long)(size + Pack(type) - 1) / Pack(type) * sizeof(float) * pageSize) + (type == DType.I8 ? (long)pageSize * sizeof(float) : 0);

    /// <summary>Writes one token of a slab.</summary>
    /// <param name="type">Type of the slab.</param>
    /// <param name="slab">Its first byte.</param>
    /// <param name="x"><c>[size]</c></param>
    /// <param name="size">Elements.</param>
    /// <param name="slot">Token of the page.</param>
    /// <param name="pageSize">Tokens of the page.</param>
    /// <param name="transposed">As keys lie.</param>
    public static void Store(DType type, byte* slab, float* x, int size, int slot, int pageSize, bool transposed)
    {
        // Element i stands at first + step * (i / pack) + place * (i % pack) for keys, at first + pack * i for values.
        switch (type)
        {
            case DType.F32 when transposed:
                for (var i = 0; i < size; i++)
                {
                    ((float*)slab)[((long)i * pageSize) + slot] = x[i];
                }

                break;
            case DType.F32:
                new ReadOnlySpan<float>(x, size).CopyTo(new Span<float>((float*)slab + ((long)slot * size), size));
                break;
            case DType.BF16:
                var pairs = (ushort*)slab;
                for (var i = 0; i < size; i++)
                {
                    pairs[Place(i, 2, size, slot, pageSize, transposed)] = FloatFormats.SingleToBFloat16(x[i]);
                }

                break;
            default:
                var scale = Scale(new ReadOnlySpan<float>(x, size));
                var inverse = scale == 0 ? 0 : 1 / scale;
                var codes = (sbyte*)slab;
                for (var i = 0; i < size; i++)
                {
                    codes[Place(i, 4, size, slot, pageSize, transposed)] = Code(x[i], inverse);
                }

                ((float*)(slab + Bytes(type, size, pageSize)))[slot - pageSize] = scale;
                break;
        }
    }

    /// <summary>Rounds one token as a slab of this type does: what is read again after <see cref="Store"/>.</summary>
    public static void Round(DType type, Span<float> x)
    {
        var scale = type == DType.I8 ? Scale(x) : 0;
        var inverse = scale == 0 ? 0 : 1 / scale;
        foreach (ref var value in x)
        {
            value = type switch { DType.BF16 => FloatFormats.BFloat16ToSingle(FloatFormats.SingleToBFloat16(value)), DType.I8 => Code(value, inverse) * scale, _ => value };
        }
    }

    /// <summary>Step of a token's int8 numbers; not a number where one of them is none.</summary>
    private static float Scale(ReadOnlySpan<float> x)
    {
        var largest = 0f;
        foreach (var value in x)
        {
            largest = float.Max(largest, float.Abs(value));
        }

        return float.IsFinite(largest) ? largest / 127 : float.NaN;
    }

    private static sbyte Code(float value, float inverse) => (sbyte)(int)MathF.Round(value * inverse);

    private static long Place(int i, int pack, int size, int slot, int pageSize, bool transposed) => transposed
        ? ((((long)i / pack * pageSize) + slot) * pack) + (i % pack)
        : ((((long)slot / pack * size) + i) * pack) + (slot % pack);
}

/// <summary>Slabs of fewer bits as float32.</summary>
internal static unsafe class KvSlabs<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Sixteen tokens of transposed keys.</summary>
    /// <param name="type">bfloat16 or int8.</param>
    /// <param name="slab">The page's keys.</param>
    /// <param name="slot">First of the tokens, a multiple of 16.</param>
    /// <param name="headDim">Elements of a key.</param>
    /// <param name="pageSize">Tokens of the page.</param>
    /// <param name="output"><c>[headDim][pitch]</c>; up to three more rows are written.</param>
    /// <param name="pitch">Floats from one row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WidenKeys(DType type, byte* slab, int slot, int headDim, int pageSize, float* output, int pitch)
    {
        if (type == DType.BF16)
        {
            for (var i = 0; i < headDim; i += 2)
            {
                var packs = slab + ((((long)i / 2 * pageSize) + slot) * sizeof(float));
                var to = output + ((long)i * pitch);
                for (var t = 0; t < 16; t += TLanes.Width)
                {
                    TLanes.Store(TLanes.EvenHighHalves((ushort*)packs + (2 * t)), to + t);
                    TLanes.Store(TLanes.OddHighHalves((ushort*)packs + (2 * t)), to + pitch + t);
                }
            }

            return;
        }

        var scales = (float*)(slab + KvSlabs.Bytes(type, headDim, pageSize)) - pageSize + slot;
        for (var i = 0; i < headDim; i += 4)
        {
            var packs = (sbyte*)slab + ((((long)i / 4 * pageSize) + slot) * sizeof(float));
            for (var t = 0; t < 16; t += TLanes.Width)
            {
                var to = output + ((long)i * pitch) + t;
                var scale = TLanes.Load(scales + t);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * t), 0), scale), to);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * t), 1), scale), to + pitch);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * t), 2), scale), to + (2 * pitch));
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * t), 3), scale), to + (3 * pitch));
            }
        }
    }

    /// <summary>Sixteen tokens of a slab that lies <c>[token][size]</c>.</summary>
    /// <param name="type">bfloat16 or int8.</param>
    /// <param name="slab">The page's.</param>
    /// <param name="slot">First of the tokens, a multiple of 16.</param>
    /// <param name="size">Elements of a token.</param>
    /// <param name="pageSize">Tokens of the page.</param>
    /// <param name="output"><c>[16][size]</c></param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WidenRows(DType type, byte* slab, int slot, int size, int pageSize, float* output)
    {
        var whole = size - (size % TLanes.Width);
        if (type == DType.BF16)
        {
            for (var t = 0; t < 16; t += 2)
            {
                var packs = (ushort*)slab + ((long)(slot + t) * size);
                float* even = output + ((long)t * size), odd = even + size;
                for (var i = 0; i < whole; i += TLanes.Width)
                {
                    TLanes.Store(TLanes.EvenHighHalves(packs + (2 * i)), even + i);
                    TLanes.Store(TLanes.OddHighHalves(packs + (2 * i)), odd + i);
                }

                for (var i = whole; i < size; i++)
                {
                    even[i] = FloatFormats.BFloat16ToSingle(packs[2 * i]);
                    odd[i] = FloatFormats.BFloat16ToSingle(packs[(2 * i) + 1]);
                }
            }

            return;
        }

        var scales = (float*)(slab + KvSlabs.Bytes(type, size, pageSize)) - pageSize + slot;
        for (var t = 0; t < 16; t += 4)
        {
            var packs = (sbyte*)slab + ((long)(slot + t) * size);
            var to = output + ((long)t * size);
            V s0 = TLanes.Broadcast(scales[t]), s1 = TLanes.Broadcast(scales[t + 1]), s2 = TLanes.Broadcast(scales[t + 2]), s3 = TLanes.Broadcast(scales[t + 3]);
            for (var i = 0; i < whole; i += TLanes.Width)
            {
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * i), 0), s0), to + i);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * i), 1), s1), to + size + i);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * i), 2), s2), to + (2 * size) + i);
                TLanes.Store(TLanes.Multiply(TLanes.SignedBytes(packs + (4 * i), 3), s3), to + (3 * size) + i);
            }

            for (var i = whole; i < size; i++)
            {
                for (var j = 0; j < 4; j++)
                {
                    to[(j * size) + i] = packs[(4 * i) + j] * scales[t + j];
                }
            }
        }
    }
}
