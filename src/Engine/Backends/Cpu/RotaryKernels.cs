using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Turns q in its row and k on its way into the page, stores k (transposed in its slab) and v.</summary>
internal unsafe struct RotateAndStoreKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* Qkv;
    public long QkvStride;

    /// <summary><c>[tokens, rotaryDim]</c>: cosines, then sines.</summary>
    public float* Rotary;
    public long RotaryStride;
    public int RotaryDim;
    public RotaryPairs Pairs;
    public byte* Keys;
    public byte* Values;

    /// <summary>Of keys and values in the pages.</summary>
    public DType Type;
    public int* Positions;
    public int* RowStarts;
    public int* BlockTableStarts;
    public int* BlockTables;
    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int PageSize;

    /// <summary>Values are a part of the keys, which lie <c>[pageSize][headDim]</c> then.</summary>
    public bool ValuesInKeys;

    public readonly void Run(int from, int end, int thread)
    {
        var s = 0;
        for (var row = from; row < end; row++)
        {
            while (RowStarts[s + 1] <= row)
            {
                s++;
            }

            Row(row, BlockTables + BlockTableStarts[s]);
        }
    }

    private readonly void Row(int row, int* table)
    {
        int position = Positions[row], half = RotaryDim / 2;
        float* cosines = Rotary + (row * RotaryStride), sines = cosines + half;
        var qkv = Qkv + (row * QkvStride);
        for (var head = 0; head < Heads + KvHeads; head++)
        {
            var x = qkv + ((long)head * HeadDim);
            if (Pairs == RotaryPairs.Halves)
            {
                Rotate(x, cosines, sines, half);
            }
            else
            {
                RotateNeighbours(x, cosines, sines, half);
            }
        }

        var slot = position % PageSize;
        float* k = qkv + ((long)Heads * HeadDim), v = k + ((long)KvHeads * HeadDim);
        for (var head = 0; head < KvHeads; head++, k += HeadDim, v += HeadDim)
        {
            var slab = (((long)table[position / PageSize] * KvHeads) + head) * KvSlabs.Bytes(Type, HeadDim, PageSize);
            KvSlabs.Store(Type, Keys + slab, k, HeadDim, slot, PageSize, transposed: !ValuesInKeys);
            if (!ValuesInKeys)
            {
                KvSlabs.Store(Type, Values + slab, v, HeadDim, slot, PageSize, transposed: false);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate(float* x, float* cosines, float* sines, int half)
    {
        var i = 0;
        for (; i + TLanes.Width <= half; i += TLanes.Width)
        {
            V a = TLanes.Load(x + i), b = TLanes.Load(x + half + i), cos = TLanes.Load(cosines + i), sin = TLanes.Load(sines + i);
            TLanes.Store(TLanes.Subtract(TLanes.Multiply(a, cos), TLanes.Multiply(b, sin)), x + i);
            TLanes.Store(TLanes.Add(TLanes.Multiply(b, cos), TLanes.Multiply(a, sin)), x + half + i);
        }

        for (; i < half; i++)
        {
            float a = x[i], b = x[half + i];
            x[i] = (a * cosines[i]) - (b * sines[i]);
            x[half + i] = (b * cosines[i]) + (a * sines[i]);
        }
    }

    private static void RotateNeighbours(float* x, float* cosines, float* sines, int half)
    {
        for (var i = 0; i < half; i++)
        {
            float a = x[2 * i], b = x[(2 * i) + 1];
            x[2 * i] = (a * cosines[i]) - (b * sines[i]);
            x[(2 * i) + 1] = (b * cosines[i]) + (a * sines[i]);
        }
    }
}
