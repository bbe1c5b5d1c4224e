using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Activations in eight bits for products with quantised weights: in each group of 32 inputs of a row, code = x * (127 / largest magnitude), rounded to the nearest, ties to even, and scale = largest magnitude / 127.
/// A group that holds what is no number gets a scale that is none.
/// <para>Rows lie in blocks of 16, <c>[groups]</c> records each: the codes of the 16 rows, their scales, and for each row what the minimum (Int4: scale * sum of codes, float32) or the offset of unsigned codes
/// (Int8: -128 * sum of codes, int32) is multiplied by. Codes are bytes in order; or, for kernels that multiply 16 bits, int16: those of inputs 0, 2 | 4, 6 | ... and then those of inputs 1, 3 | 5, 7 | ...</para></summary>
internal unsafe struct GroupedRowsKernel : IParallelJob
{
    public const int Block = 16;

    /// <summary>Bytes of scales, or of what follows them.</summary>
    public const int FactorBytes = Block * sizeof(float);

    private const int Group = GroupedLayout.Group;

    /// <summary>Below this all codes of a group are 0.</summary>
    private const float Smallest = 1e-30f;

    public float* X;
    public long XStride;
    public int Columns;
    public WeightFormat Format;

    /// <summary>16 bits a code.</summary>
    public bool Wide;
    public byte* Output;

    /// <summary>Bytes of a row's codes in a record.</summary>
    public static int CodeBytes(bool wide) => wide ? 2 * Group : Group;

    public static int RecordBytes(bool wide) => (Block * CodeBytes(wide)) + (2 * FactorBytes);

    /// <summary>Bytes for so many rows.</summary>
    public static long Bytes(int rows, int columns, bool wide) => checked((long)((rows + Block - 1) / Block) * GroupedLayout.Groups(columns) * RecordBytes(wide));

    /// <summary>Scale and codes of a group, the definition.</summary>
    /// <param name="x">Up to 32 activations.</param>
    /// <param name="codes">As many codes.</param>
    public static float Quantise(ReadOnlySpan<float> x, Span<int> codes)
    {
        var largest = 0f;
        foreach (var value in x)
        {
            largest = MathF.Max(largest, MathF.Abs(value));
        }

        var factor = largest < Smallest ? 0 : 127 / largest;
        for (var i = 0; i < x.Length; i++)
        {
            codes[i] = (int)MathF.Round(x[i] * factor);
        }

        return largest < Smallest ? 0 : largest / 127;
    }

    public readonly void Run(int from, int end, int thread)
    {
        int groups = GroupedLayout.Groups(Columns), record = RecordBytes(Wide), codeBytes = CodeBytes(Wide);
        for (var row = from; row < end; row++)
        {
            var output = Output + ((long)(row / Block) * groups * record);
            var place = row % Block;
            Row(X + (row * XStride), output + (place * codeBytes), output + (Block * codeBytes) + (place * sizeof(float)), record);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row(float* x, byte* codes, byte* factors, int record)
    {
        var last = stackalloc float[Group];
        for (var k = 0; k < Columns; k += Group, codes += record, factors += record)
        {
            var from = x + k;
            if (k + Group > Columns)
            {
                new Span<float>(last, Group).Clear();
                new ReadOnlySpan<float>(from, Columns - k).CopyTo(new Span<float>(last, Group));
                from = last;
            }

            Vector256<float> a = Vector256.Load(from), b = Vector256.Load(from + 8), c = Vector256.Load(from + 16), d = Vector256.Load(from + 24);
            var largest = Largest(Vector256.Max(Vector256.Max(Vector256.Abs(a), Vector256.Abs(b)), Vector256.Max(Vector256.Abs(c), Vector256.Abs(d))));
            float factor = largest < Smallest ? 0 : 127 / largest, scale = largest < Smallest ? 0 : largest / 127;
            Vector256<int> ia = Rounded(a, factor), ib = Rounded(b, factor), ic = Rounded(c, factor), id = Rounded(d, factor);
            var bytes = Vector256.Narrow(Vector256.Narrow(ia, ib), Vector256.Narrow(ic, id));
            if (Wide)
            {
                var pairs = bytes.AsInt16();
                ((pairs << 8) >> 8).Store((short*)codes);
                (pairs >> 8).Store((short*)(codes + Group));
            }
            else
            {
                bytes.Store((sbyte*)codes);
            }

            var sum = Vector256.Sum(ia + ib + ic + id);
            *(float*)factors = scale;
            *(int*)(factors + FactorBytes) = Format == WeightFormat.Int4 ? BitConverter.SingleToInt32Bits(scale * sum) : -128 * sum;
        }
    }

    /// <summary>To the nearest integer, by the mantissa's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Rounded(Vector256<float> x, float factor) =>
        ((x * Vector256.Create(factor)) + Vector256.Create(12_582_912f)).AsInt32() - Vector256.Create(0x4B40_0000);

    /// <summary>NaN where one is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Largest(Vector256<float> values)
    {
        var four = Vector128.Max(values.GetLower(), values.GetUpper());
        four = Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}
