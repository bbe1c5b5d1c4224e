using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Any <see cref="PackedMatrix"/> in the one order that the card reads: rows of codes with inputs in order, and for each row and group a scale in float32 and, where they are stored, a zero point.</summary>
internal static unsafe class PackedUpload
{
    private const int Alignment = 16;

    public static PackedTarget Load(WeightArena arena, string name, PackedMatrix matrix)
    {
        var groups = matrix.GroupOfColumn == 0 ? matrix.Groups : Enumerable.Range(0, matrix.Columns).Max(k => PackedReader.Group(matrix, k)) + 1;
        var pitch = ((matrix.Format == CodeFormat.E4M3 ? matrix.Columns : (matrix.Columns + 1) / 2) + Alignment - 1) / Alignment * Alignment;
        var codes = new byte[checked((long)pitch * matrix.Rows)];
        var scales = new float[checked(groups * matrix.Rows)];
        var zeros = matrix.Zeros == 0 ? [] : new byte[scales.Length];
        Parallel.For(0, matrix.Rows, row =>
        {
            var stored = PackedReader.StoredRow(matrix, row);
            for (var group = 0; group < groups; group++)
            {
                scales[(row * groups) + group] = PackedReader.Scale(matrix, stored, group);
                if (zeros.Length > 0)
                {
                    zeros[(row * groups) + group] = (byte)PackedReader.Zero(matrix, stored, group);
                }
            }

            Row(matrix, stored, codes.AsSpan(row * pitch, pitch));
        });
        fixed (byte* c = codes, z = zeros)
        fixed (float* s = scales)
        {
            return new PackedTarget
            {
                Codes = arena.Copy(codes.Length, (nint)c, name),
                Scales = arena.Copy(scales.Length * (long)sizeof(float), (nint)s, name),
                Zeros = zeros.Length == 0 ? 0 : arena.Copy(zeros.Length, (nint)z, name),
                GroupOfColumn = matrix.GroupOfColumn == 0 ? 0 : arena.Copy(matrix.Columns * (long)sizeof(int), matrix.GroupOfColumn, name),
                Pitch = pitch,
                Groups = groups,
                GroupSize = matrix.GroupSize,
                Zero = matrix.Zero,
                Outputs = matrix.Rows,
            };
        }
    }

    private static void Row(PackedMatrix matrix, int stored, Span<byte> to)
    {
        switch (matrix.Order)
        {
            case CodeOrder.Rows:
                new ReadOnlySpan<byte>((byte*)matrix.Codes + (stored * matrix.Pitch), matrix.Format == CodeFormat.E4M3 ? matrix.Columns : (matrix.Columns + 1) / 2).CopyTo(to);
                break;
            case CodeOrder.InputWords when matrix.Columns % 8 == 0:
                for (var word = 0; word < matrix.Columns / 8; word++)
                {
                    Unsafe.WriteUnaligned(ref to[4 * word], PackedReader.Word((byte*)matrix.Codes, ((long)word * matrix.StoredRows) + stored));
                }

                break;
            default:
                for (var k = 0; k < matrix.Columns; k++)
                {
                    to[k / 2] |= (byte)(PackedReader.Code(matrix, stored, k) << (4 * (k % 2)));
                }

                break;
        }
    }
}
