using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Causal convolution of each column by itself. An item is a piece of columns of one sequence: it keeps the last inputs at hand, so that output may overwrite them, and walks along the tokens.</summary>
internal unsafe struct ShortConvolutionKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public const int MaxWidth = 16;

    /// <summary>Columns of a piece: its inputs and kernels stay in the first-level cache.</summary>
    private const int Piece = 256;

    public RecurrentStep Step;
    public float* X;
    public long XStride;

    /// <summary><c>[columns, width]</c></summary>
    public float* Kernel;

    /// <summary>Or null.</summary>
    public float* Bias;
    public float* Output;
    public long OutputStride;
    public int Columns;
    public int Width;
    public bool Silu;

    public static int Pieces(int columns) => (columns + Piece - 1) / Piece;

    /// <summary>An item is a piece of one sequence.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        var pieces = Pieces(Columns);
        float* taps = stackalloc float[MaxWidth * Piece], inputs = stackalloc float[MaxWidth * Piece], bias = stackalloc float[Piece];
        for (var item = from; item < end; item++)
        {
            Walk(item / pieces, item % pieces * Piece, taps, inputs, bias);
        }
    }

    /// <param name="sequence">Whose tokens.</param>
    /// <param name="column">First of the columns; the last piece of a row may be narrower, and its last vector not full.</param>
    /// <param name="taps"><c>[width][piece]</c></param>
    /// <param name="inputs"><c>[width][piece]</c>: a ring of the inputs that the kernel covers.</param>
    /// <param name="bias"><c>[piece]</c></param>
    private readonly void Walk(int sequence, int column, float* taps, float* inputs, float* bias)
    {
        int count = Math.Min(Piece, Columns - column), past = Width - 1;
        var state = Step.State(sequence) + column;
        var begins = Step.Begins(sequence);
        for (var i = 0; i < count; i++)
        {
            var kernel = Kernel + ((long)(column + i) * Width);
            for (var j = 0; j < Width; j++)
            {
                taps[(j * Piece) + i] = kernel[j];
            }
        }

        for (var j = 0; j < past; j++)
        {
            var into = new Span<float>(inputs + (j * Piece), count);
            if (begins)
            {
                into.Clear();
            }
            else
            {
                new ReadOnlySpan<float>(state + ((long)j * Columns), count).CopyTo(into);
            }
        }

        if (Bias is null)
        {
            new Span<float>(bias, count).Clear();
        }
        else
        {
            new ReadOnlySpan<float>(Bias + column, count).CopyTo(new Span<float>(bias, count));
        }

        var ring = stackalloc float*[MaxWidth];
        for (var j = 0; j < Width; j++)
        {
            ring[j] = inputs + (j * Piece);
        }

        for (var t = Step.FirstRow(sequence); t < Step.EndRow(sequence); t++)
        {
            new ReadOnlySpan<float>(X + (t * XStride) + column, count).CopyTo(new Span<float>(ring[past], count));
            Token(ring, taps, bias, count, Output + (t * OutputStride) + column);
            var oldest = ring[0];
            for (var j = 0; j < past; j++)
            {
                ring[j] = ring[j + 1];
            }

            ring[past] = oldest;
        }

        for (var j = 0; j < past; j++)
        {
            new ReadOnlySpan<float>(ring[j], count).CopyTo(new Span<float>(state + ((long)j * Columns), count));
        }
    }

    /// <summary>Lanes beyond the last column compute from what lies there, and are not written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Token(float** ring, float* taps, float* bias, int count, float* output)
    {
        var narrow = stackalloc float[TLanes.Width];
        for (var i = 0; i < count; i += TLanes.Width)
        {
            var sum = TLanes.Load(bias + i);
            for (var j = 0; j < Width; j++)
            {
                sum = TLanes.MultiplyAdd(TLanes.Load(ring[j] + i), TLanes.Load(taps + (j * Piece) + i), sum);
            }

            sum = Silu ? Silu<TLanes, V>.Of(sum, default) : sum;
            if (i + TLanes.Width <= count)
            {
                TLanes.Store(sum, output + i);
            }
            else
            {
                TLanes.Store(sum, narrow);
                new ReadOnlySpan<float>(narrow, count - i).CopyTo(new Span<float>(output + i, count - i));
            }
        }
    }
}
