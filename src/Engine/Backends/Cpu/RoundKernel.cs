using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Activation rows rounded to bfloat16 (nearest, ties to even): as such, or as float32 of the same values.</summary>
internal unsafe struct RoundKernel : IParallelJob
{
    private const int Block = 512;

    public float* X;
    public long XStride;

    /// <summary><c>[rows, columns]</c>; one of the two, the other null.</summary>
    public ushort* Short;
    public float* Wide;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        Span<ushort> block = stackalloc ushort[Block];
        for (var row = from; row < end; row++)
        {
            var start = (long)row * Columns;
            for (var k = 0; k < Columns; k += Block)
            {
                var x = new ReadOnlySpan<float>(X + (row * XStride) + k, Math.Min(Block, Columns - k));
                if (Short is not null)
                {
                    FloatFormats.SingleToBFloat16(x, new Span<ushort>(Short + start + k, x.Length));
                }
                else
                {
                    FloatFormats.SingleToBFloat16(x, block);
                    FloatFormats.BFloat16ToSingle(block[..x.Length], new Span<float>(Wide + start + k, x.Length));
                }
            }
        }
    }
}
