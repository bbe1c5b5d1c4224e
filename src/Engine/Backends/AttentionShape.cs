namespace KvPrefetch.Engine.Backends;

/// <summary>Shape and options of an attention layer.</summary>
/// <param name="Heads">Query heads; a multiple of <paramref name="KvHeads"/>.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="HeadDim">Elements of one head.</param>
/// <param name="Scale">Factor on every score before the softmax.</param>
/// <param name="Window">Tokens that a token sees, itself included; 0 sees all before it.</param>
/// <param name="SoftCap">Scaled scores become cap * tanh(score / cap); 0 leaves them.</param>
/// <param name="Growth">How the scale grows with the query's position; the default does not.</param>
/// <param name="Sinks">One more score for each query head, <c>[heads]</c>, which takes its share of the softmax and has no value; or null. Neither scaled nor capped.</param>
internal readonly record struct AttentionShape(int Heads, int KvHeads, int HeadDim, float Scale, int Window = 0, float SoftCap = 0, ScaleGrowth Growth = default, DeviceBuffer? Sinks = null)
{
    /// <summary>Above 0: values are no rows of their own but the last so many elements of the keys, which alone are stored. 0: values are as long as keys and stored beside them.</summary>
    public int ValuesInKeys { get; init; }

    /// <summary>Elements of a value.</summary>
    public int ValueDim => ValuesInKeys > 0 ? ValuesInKeys : HeadDim;
    public int QueryColumns => Heads * HeadDim;
    public int KeyColumns => KvHeads * HeadDim;

    /// <summary>Columns of what attention gives.</summary>
    public int OutputColumns => Heads * ValueDim;

    /// <summary>Columns of a row that holds q, k and v side by side; v only where values are rows of their own.</summary>
    public int QkvColumns => QueryColumns + ((ValuesInKeys > 0 ? 1 : 2) * KeyColumns);
}

/// <summary>Attention that sharpens far out: scores are multiplied by 1 + Beta * ln(1 + floor(position / Length)) of the query.</summary>
/// <param name="Beta">0: no growth.</param>
/// <param name="Length">Positions from one step of the growth to the next.</param>
internal readonly record struct ScaleGrowth(float Beta, int Length)
{
    public float At(int position) => Beta == 0 ? 1f : (float)(1 + (Beta * Math.Log(1 + (position / Length))));
}
