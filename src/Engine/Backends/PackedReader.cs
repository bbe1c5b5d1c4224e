using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>Weights, codes, scales and zero points of a <see cref="PackedMatrix"/> in host memory, one at a time: the definition of every packing.</summary>
internal static unsafe class PackedReader
{
    private static readonly float[] E2M1 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    public static float Element(in PackedMatrix matrix, int row, int column)
    {
        int stored = StoredRow(matrix, row), group = Group(matrix, column);
        return Value(matrix.Format, Code(matrix, stored, column), Zero(matrix, stored, group)) * Scale(matrix, stored, group);
    }

    public static int StoredRow(in PackedMatrix matrix, int row) => matrix.FirstRow + (row * matrix.RowStep);

    public static int Group(in PackedMatrix matrix, int column) =>
        matrix.GroupOfColumn == 0 ? column / matrix.GroupSize : Unsafe.ReadUnaligned<int>((byte*)matrix.GroupOfColumn + (4L * column));

    public static int Code(in PackedMatrix matrix, int stored, int column)
    {
        var codes = (byte*)matrix.Codes;
        return matrix.Order switch
        {
            CodeOrder.InputWords => (int)(Word(codes, ((long)(column / 8) * matrix.StoredRows) + stored) >> (4 * (column % 8))) & 15,
            CodeOrder.OutputWords => (int)(Word(codes, ((long)column * (matrix.StoredRows / 8)) + (stored / 8)) >> ShiftOfOutput(stored % 8)) & 15,
            _ when matrix.Format == CodeFormat.E4M3 => codes[(stored * matrix.Pitch) + column],
            _ => (codes[(stored * matrix.Pitch) + (column / 2)] >> (4 * (column % 2))) & 15,
        };
    }

    /// <summary>What a code is worth before its scale.</summary>
    public static float Value(CodeFormat format, int code, int zero) => format switch
    {
        CodeFormat.E4M3 => FloatFormats.E4M3ToSingle((byte)code),
        CodeFormat.E2M1 => E2M1[code],
        _ => code - zero,
    };

    public static float Scale(in PackedMatrix matrix, int stored, int group)
    {
        var index = ((long)(stored / matrix.BlockRows) * matrix.ScaleRowStride) + ((long)group * matrix.ScaleGroupStride);
        var scales = (byte*)matrix.Scales;
        return matrix.ScaleType switch
        {
            DType.F32 => Unsafe.ReadUnaligned<float>(scales + (4 * index)),
            DType.F16 => FloatFormats.HalfToSingle(Unsafe.ReadUnaligned<ushort>(scales + (2 * index))),
            DType.BF16 => FloatFormats.BFloat16ToSingle(Unsafe.ReadUnaligned<ushort>(scales + (2 * index))),
            _ => PowerOfTwo(scales[index]),
        };
    }

    public static int Zero(in PackedMatrix matrix, int stored, int group)
    {
        if (matrix.Zeros == 0)
        {
            return matrix.Zero;
        }

        var word = Word((byte*)matrix.Zeros, ((long)(stored / 8) * matrix.ZeroRowStride) + ((long)group * matrix.ZeroGroupStride));
        var shift = matrix.Order == CodeOrder.OutputWords ? ShiftOfOutput(stored % 8) : 4 * (stored % 8);
        return ((int)(word >> shift) + matrix.Zero) & 15;
    }

    /// <summary>First bit of the output's code in a word of outputs: the codes stand in the order 0 2 4 6 1 3 5 7.</summary>
    public static int ShiftOfOutput(int output) => (output % 2 * 16) + (output / 2 * 4);

    public static uint Word(byte* words, long index) => Unsafe.ReadUnaligned<uint>(words + (4 * index));

    /// <summary>2^(bits - 127); 255 is no number.</summary>
    private static float PowerOfTwo(byte bits) => bits switch
    {
        0 => BitConverter.UInt32BitsToSingle(0x0040_0000),
        255 => float.NaN,
        _ => BitConverter.UInt32BitsToSingle((uint)bits << 23),
    };
}
