using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Causal convolution of each column by itself. An item is a vector of columns of one sequence: it keeps the window of inputs at hand and walks along the tokens.</summary>
internal unsafe struct ShortConvolutionKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public const int MaxWidth = 16;

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

    public static int Pieces(int columns) => (columns + TLanes.Width - 1) / TLanes.Width;

    /// <summary>An item is a piece of one sequence.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        var pieces = Pieces(Columns);
        float* taps = stackalloc float[MaxWidth * TLanes.Width], window = stackalloc float[MaxWidth * TLanes.Width], row = stackalloc float[TLanes.Width];
        for (var item = from; item < end; item++)
        {
            Walk(item / pieces, item % pieces * TLanes.Width, taps, window, row);
        }
    }

    /// <param name="sequence">Whose tokens.</param>
    /// <param name="column">First of the columns; the last piece of a row may be narrower than a vector.</param>
    /// <param name="taps"><c>[width][lanes]</c></param>
    /// <param name="window"><c>[width][lanes]</c>: the inputs that the kernel covers, the oldest first.</param>
    /// <param name="narrow"><c>[lanes]</c></param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Walk(int sequence, int column, float* taps, float* window, float* narrow)
    {
        int lanes = TLanes.Width, count = Math.Min(lanes, Columns - column), past = Width - 1;
        var state = Step.State(sequence) + column;
        var begins = Step.Begins(sequence);
        for (var j = 0; j < Width; j++)
        {
            for (var i = 0; i < lanes; i++)
            {
                taps[(j * lanes) + i] = i < count ? Kernel[((long)(column + i) * Width) + j] : 0;
                window[(j * lanes) + i] = i < count && j < past && !begins ? state[((long)j * Columns) + i] : 0;
            }
        }

        for (var i = 0; i < lanes; i++)
        {
            narrow[i] = i < count && Bias is not null ? Bias[column + i] : 0;
        }

        var bias = TLanes.Load(narrow);
        for (var t = Step.FirstRow(sequence); t < Step.EndRow(sequence); t++)
        {
            float* x = X + (t * XStride) + column, output = Output + (t * OutputStride) + column;
            for (var i = 0; i < count; i++)
            {
                window[(past * lanes) + i] = x[i];
            }

            var sum = bias;
            for (var j = 0; j < Width; j++)
            {
                var input = TLanes.Load(window + (j * lanes));
                sum = TLanes.MultiplyAdd(input, TLanes.Load(taps + (j * lanes)), sum);
                if (j > 0)
                {
                    TLanes.Store(input, window + ((j - 1) * lanes));
                }
            }

            sum = Silu ? Silu<TLanes, V>.Of(sum, default) : sum;
            if (count == lanes)
            {
                TLanes.Store(sum, output);
            }
            else
            {
                TLanes.Store(sum, narrow);
                new ReadOnlySpan<float>(narrow, count).CopyTo(new Span<float>(output, count));
            }
        }

        for (var j = 0; j < past; j++)
        {
            new ReadOnlySpan<float>(window + (j * lanes), count).CopyTo(new Span<float>(state + ((long)j * Columns), count));
        }
    }
}
