using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>A decode step's attention: one query row for each sequence.</summary>
internal sealed record AttentionCase(int Heads, int KvHeads, int[] Lengths, int HeadDim = 128)
{
    public AttentionCase(int heads, int kvHeads, int batch, int context, int headDim = 128) : this(heads, kvHeads, [.. Enumerable.Repeat(context, batch)], headDim)
    {
    }

    /// <summary>1 float16, 2 bfloat16.</summary>
    public int KvType { get; init; } = 2;

    /// <summary>0 float32, else as the pages.</summary>
    public int QType { get; init; }
    public int Window { get; init; }
    public float SoftCap { get; init; }
    public ScaleGrowth Growth { get; init; }
    public bool Sinks { get; init; }

    /// <summary>Factor on the queries: above 1, the softmax has peaks.</summary>
    public float Sharpness { get; init; } = 1;

    public int Group => Heads / KvHeads;
    public float Scale => 1f / MathF.Sqrt(HeadDim);

    public string Name
    {
        get
        {
            var even = Lengths.All(l => l == Lengths[0]);
            return FormattableString.Invariant($"{Heads}/{KvHeads}{(HeadDim == 128 ? "" : $" d={HeadDim}")}{(KvType == 1 ? " f16" : "")}, {Lengths.Length}, {(even ? $"{Lengths[0]}" : $"{Lengths.Min()}..{Lengths.Max()}")}")
                + (Window > 0 ? FormattableString.Invariant($", window {Window}") : "") + (SoftCap > 0 ? ", cap" : "") + (Growth.Beta > 0 ? ", growth" : "") + (Sinks ? ", sinks" : "");
        }
    }
}
