namespace KvPrefetch.Engine.Backends;

/// <summary>Shape and options of an attention layer.</summary>
/// <param name="Heads">Query heads; a multiple of <paramref name="KvHeads"/>.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="HeadDim">Elements of one head.</param>
/// <param name="Scale">Factor on every score before the softmax.</param>
/// <param name="Window">Tokens that a token sees, itself included; 0 sees all before it.</param>
/// <param name="SoftCap">Scaled scores become cap * tanh(score / cap); 0 leaves them.</param>
internal readonly record struct AttentionShape(int Heads, int KvHeads, int HeadDim, float Scale, int Window = 0, float SoftCap = 0)
{
    public int QueryColumns => Heads * HeadDim;
    public int KeyColumns => KvHeads * HeadDim;

    /// <summary>Columns of a row that holds q, k and v side by side.</summary>
    public int QkvColumns => QueryColumns + (2 * KeyColumns);
}
