using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Rows of a <see cref="PackedMatrix"/> as float32: the values of <see cref="PackedReader.Element"/>, eight at a time where eight share a scale.</summary>
internal static unsafe class PackedRows
{
    /// <summary>Rows that are unpacked at once: two words of outputs, a cache line of words of inputs.</summary>
    public const int Panel = 16;

    private static readonly Vector256<float> E2M1Magnitudes = Vector256.Create(0f, 0.5f, 1, 1.5f, 2, 3, 4, 6);

    /// <summary>Floats for a panel and, behind it, scales and zero points of eight rows.</summary>
    public static long ScratchFloats(int columns, int groups) => ((long)Panel * columns) + (16L * groups);

    /// <summary>Rows first to first + count, exclusive, at most <see cref="Panel"/>, to the start of <paramref name="scratch"/>, one after the other.</summary>
    public static void Unpack(in PackedMatrix matrix, int first, int count, float* scratch)
    {
        var tables = scratch + ((long)Panel * matrix.Columns);
        var even = matrix.GroupOfColumn == 0 && (matrix.GroupSize % 8 == 0 || matrix.Groups == 1);
        for (var i = 0; i < count;)
        {
            var destination = scratch + ((long)i * matrix.Columns);
            var stored = PackedReader.StoredRow(matrix, first + i);
            if (even && matrix.Order == CodeOrder.OutputWords && matrix.RowStep == 1 && stored % 8 == 0 && count - i >= 8)
            {
                EightRows(matrix, stored, destination, tables);
                i += 8;
                continue;
            }

            FillTables(matrix, stored, tables, tables + matrix.Groups);
            if (!even || matrix.Order == CodeOrder.OutputWords)
            {
                Singly(matrix, stored, destination, tables);
            }
            else if (matrix.Format == CodeFormat.E4M3)
            {
                Bytes(matrix, stored, destination, tables);
            }
            else
            {
                Words(matrix, stored, destination, tables);
            }

            i++;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillTables(in PackedMatrix matrix, int stored, float* scales, float* zeros)
    {
        var groups = matrix.Groups;
        if (matrix.ScaleType == DType.U8)
        {
            // A power of two is its own exponent, but for the two ends.
            var bytes = (byte*)matrix.Scales + ((long)(stored / matrix.BlockRows) * matrix.ScaleRowStride);
            for (var g = 0; g < groups; g++)
            {
                var bits = bytes[(long)g * matrix.ScaleGroupStride];
                scales[g] = bits is 0 or 255 ? PackedReader.Scale(matrix, stored, g) : BitConverter.UInt32BitsToSingle((uint)bits << 23);
            }
        }
        else
        {
            for (var g = 0; g < groups; g++)
            {
                scales[g] = PackedReader.Scale(matrix, stored, g);
            }
        }

        if (matrix.Zeros == 0)
        {
            new Span<float>(zeros, groups).Fill(matrix.Zero);
            return;
        }

        for (var g = 0; g < groups; g++)
        {
            zeros[g] = PackedReader.Zero(matrix, stored, g);
        }
    }

    private static void Singly(in PackedMatrix matrix, int stored, float* destination, float* tables)
    {
        for (var k = 0; k < matrix.Columns; k++)
        {
            var group = PackedReader.Group(matrix, k);
            destination[k] = PackedReader.Value(matrix.Format, PackedReader.Code(matrix, stored, k), (int)tables[matrix.Groups + group]) * tables[group];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bytes(in PackedMatrix matrix, int stored, float* destination, float* tables)
    {
        var codes = (byte*)matrix.Codes + (stored * matrix.Pitch);
        for (var group = 0; group < matrix.Groups; group++)
        {
            var k = group * matrix.GroupSize;
            var end = Math.Min(matrix.Columns, k + matrix.GroupSize);
            var scale = Vector256.Create(tables[group]);
            for (; k + 8 <= end; k += 8)
            {
                var bits = Vector256.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(codes + k)).AsByte()).ToVector256Unsafe());

                // The seven bits of magnitude become exponent and mantissa of a float32 with the right bias; subnormals, which have no leading one, get one and lose it again.
                // A product that moves the exponent would be shorter, and a hundred times slower wherever a float32 is subnormal on the way.
                var magnitude = (bits & Vector256.Create(0x7Fu)) << 20;
                var normal = (magnitude + Vector256.Create(120u << 23)).AsSingle();
                var small = (magnitude + Vector256.Create(121u << 23)).AsSingle() - Vector256.Create(0.015625f);
                var value = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(8u << 20)).AsSingle(), small, normal);
                value = Vector256.ConditionalSelect(Vector256.Equals(magnitude, Vector256.Create(0x07F0_0000u)).AsSingle(), Vector256.Create(float.NaN), value);
                ((((bits & Vector256.Create(0x80u)) << 24).AsSingle() ^ value) * scale).Store(destination + k);
            }

            for (; k < end; k++)
            {
                destination[k] = PackedReader.Value(matrix.Format, codes[k], 0) * tables[group];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Words(in PackedMatrix matrix, int stored, float* destination, float* tables)
    {
        var inRows = matrix.Order == CodeOrder.Rows;
        var words = (byte*)matrix.Codes + (inRows ? stored * matrix.Pitch : 4L * stored);
        var pitch = inRows ? 1L : matrix.StoredRows;
        var floats = matrix.Format == CodeFormat.E2M1;
        for (var group = 0; group < matrix.Groups; group++)
        {
            var k = group * matrix.GroupSize;
            var end = Math.Min(matrix.Columns, k + matrix.GroupSize);
            Vector256<float> scale = Vector256.Create(tables[group]), zero = Vector256.Create(tables[matrix.Groups + group]);
            for (; k + 8 <= end; k += 8)
            {
                var codes = Split(PackedReader.Word(words, k / 8 * pitch));
                var value = floats ? FromE2M1(codes) : Vector256.ConvertToSingle(codes.AsInt32()) - zero;
                (value * scale).Store(destination + k);
            }

            for (; k < end; k++)
            {
                destination[k] = PackedReader.Value(matrix.Format, PackedReader.Code(matrix, stored, k), (int)tables[matrix.Groups + group]) * tables[group];
            }
        }
    }

    /// <summary>Eight rows whose codes share words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightRows(in PackedMatrix matrix, int stored, float* destination, float* tables)
    {
        int columns = matrix.Columns, groups = matrix.Groups;
        for (var row = 0; row < 8; row++)
        {
            FillTables(matrix, stored + row, tables + (2L * row * groups), tables + (((2L * row) + 1) * groups));
        }

        var words = (byte*)matrix.Codes + (stored / 8 * 4L);
        long pitch = matrix.StoredRows / 8;
        var k = 0;
        for (; k + 8 <= columns; k += 8)
        {
            var eight = Vector256.Create(
                PackedReader.Word(words, k * pitch), PackedReader.Word(words, (k + 1) * pitch), PackedReader.Word(words, (k + 2) * pitch), PackedReader.Word(words, (k + 3) * pitch),
                PackedReader.Word(words, (k + 4) * pitch), PackedReader.Word(words, (k + 5) * pitch), PackedReader.Word(words, (k + 6) * pitch), PackedReader.Word(words, (k + 7) * pitch));
            var group = k / matrix.GroupSize;
            for (var row = 0; row < 8; row++)
            {
                var table = tables + (2L * row * groups);
                var codes = Vector256.ConvertToSingle(((eight >> PackedReader.ShiftOfOutput(row)) & Vector256.Create(15u)).AsInt32());
                ((codes - Vector256.Create(table[groups + group])) * Vector256.Create(table[group])).Store(destination + ((long)row * columns) + k);
            }
        }

        for (; k < columns; k++)
        {
            for (var row = 0; row < 8; row++)
            {
                var table = tables + (2L * row * groups);
                var group = k / matrix.GroupSize;
                destination[((long)row * columns) + k] = (PackedReader.Code(matrix, stored + row, k) - table[groups + group]) * table[group];
            }
        }
    }

    /// <summary>The eight codes of a word, lowest first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Split(uint word)
    {
        var shifts = Vector256.Create(0u, 4, 8, 12, 16, 20, 24, 28);
        return Avx2.IsSupported
            ? Avx2.ShiftRightLogicalVariable(Vector256.Create(word), shifts) & Vector256.Create(15u)
            : Vector256.Create(word & 15, (word >> 4) & 15, (word >> 8) & 15, (word >> 12) & 15, (word >> 16) & 15, (word >> 20) & 15, (word >> 24) & 15, word >> 28);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FromE2M1(Vector256<uint> codes)
    {
        var index = (codes & Vector256.Create(7u)).AsInt32();
        var magnitude = Avx2.IsSupported ? Avx2.PermuteVar8x32(E2M1Magnitudes, index) : Vector256.Shuffle(E2M1Magnitudes, index);
        return magnitude | ((codes & Vector256.Create(8u)) << 28).AsSingle();
    }
}
