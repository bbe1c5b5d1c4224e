using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>What the bits of a code say, before zero point and scale.</summary>
internal enum CodeFormat
{
    /// <summary>Four bits, 0 to 15, low half of a byte first.</summary>
    UInt4,

    /// <summary>Four bits, float with 2 exponent and 1 mantissa bit: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.</summary>
    E2M1,

    /// <summary>A byte, see <see cref="DType.F8E4M3"/>.</summary>
    E4M3,
}

/// <summary>Where the codes of a matrix lie. A word is a little-endian int32 with eight codes of four bits.</summary>
internal enum CodeOrder
{
    /// <summary>Row after row, <see cref="PackedMatrix.Pitch"/> bytes each, inputs in order.</summary>
    Rows,

    /// <summary>Words <c>[columns / 8, rows]</c>, eight inputs of one output in a word (GPTQ).</summary>
    InputWords,

    /// <summary>Words <c>[columns, rows / 8]</c>, eight outputs of one input in a word, in the order 0 2 4 6 1 3 5 7 (AWQ).</summary>
    OutputWords,
}

/// <summary>A matrix <c>[rows, columns]</c> in few bits: weight[n][k] = (code - zero) * scale, the difference exact and the product rounded once to float32.
/// Row n of the matrix is row <c>FirstRow + n * RowStep</c> of what is stored; scale and zero point are those of the stored row's block and the column's group.
/// Addresses are of host memory without any alignment, which must outlive the weight.</summary>
internal readonly record struct PackedMatrix
{
    public CodeFormat Format { get; init; }
    public CodeOrder Order { get; init; }
    public nint Codes { get; init; }

    /// <summary>Bytes of a stored row, where codes lie in rows.</summary>
    public long Pitch { get; init; }

    public int Rows { get; init; }
    public int Columns { get; init; }

    /// <summary>Rows of what is stored.</summary>
    public int StoredRows { get; init; }
    public int FirstRow { get; init; }
    public int RowStep { get; init; }

    /// <summary>Scales in <see cref="ScaleType"/>.</summary>
    public nint Scales { get; init; }

    /// <summary>F32, F16, BF16, or U8 for a power of two: 2^(value - 127).</summary>
    public DType ScaleType { get; init; }

    /// <summary>Rows that share a scale.</summary>
    public int BlockRows { get; init; }

    /// <summary>Columns that share a scale and a zero point: group k / GroupSize, unless <see cref="GroupOfColumn"/> says otherwise.</summary>
    public int GroupSize { get; init; }

    /// <summary>Elements from a block of rows to the next, and from a group to the next.</summary>
    public int ScaleRowStride { get; init; }
    public int ScaleGroupStride { get; init; }

    /// <summary>int32 for each column: its group. 0: groups are consecutive columns.</summary>
    public nint GroupOfColumn { get; init; }

    /// <summary>Words with the zero points of eight rows; their order is that of <see cref="CodeOrder.OutputWords"/> there, else plain. 0: all are <see cref="Zero"/>.</summary>
    public nint Zeros { get; init; }

    /// <summary>Words from eight rows to the next eight, and from a group to the next.</summary>
    public int ZeroRowStride { get; init; }
    public int ZeroGroupStride { get; init; }

    /// <summary>The zero point where none is stored; added, modulo 16, where some are.</summary>
    public int Zero { get; init; }

    /// <summary>Groups of a row.</summary>
    public int Groups => (Columns + GroupSize - 1) / GroupSize;

    /// <summary>Bytes of all codes that are stored.</summary>
    public long CodeBytes => Order == CodeOrder.Rows ? StoredRows * Pitch : (long)StoredRows * Columns / 2;

    /// <summary>Rows <paramref name="first"/>, first + step, ... of this matrix.</summary>
    public PackedMatrix RowsOf(int first, int rows, int step = 1) => this with { Rows = rows, FirstRow = FirstRow + (first * RowStep), RowStep = RowStep * step };
}
