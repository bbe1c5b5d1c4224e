using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Activations of a decoder-only transformer, allocated once for the largest step.</summary>
internal sealed class TransformerScratch : IDisposable
{
    /// <param name="backend">Where they live.</param>
    /// <param name="tokens">Rows of the largest step.</param>
    /// <param name="samples">Most rows whose logits are wanted in one step.</param>
    /// <param name="hidden">Width of the model.</param>
    /// <param name="intermediate">Width inside the MLP.</param>
    /// <param name="rotaryDim">Turning elements of a head.</param>
    /// <param name="vocabulary">Rows of the output head.</param>
    /// <param name="shape">The attention layers'.</param>
    public TransformerScratch(IBackend backend, int tokens, int samples, int hidden, int intermediate, int rotaryDim, int vocabulary, AttentionShape shape)
    {
        Hidden = backend.AllocateRows(tokens, hidden);
        Normed = backend.AllocateRows(tokens, hidden);
        Delta = backend.AllocateRows(tokens, hidden);
        Rotary = backend.AllocateRows(tokens, rotaryDim);
        Qkv = backend.AllocateRows(tokens, shape.QkvColumns);
        Mixed = backend.AllocateRows(tokens, shape.QueryColumns);
        GateUp = backend.AllocateRows(tokens, checked(2 * intermediate));
        Inner = backend.AllocateRows(tokens, intermediate);
        Sampled = backend.AllocateRows(samples, hidden);
        Logits = backend.AllocateRows(samples, vocabulary);
    }

    /// <summary><c>[tokens, hidden]</c>: the residual stream.</summary>
    public Rows Hidden { get; }

    /// <summary><c>[tokens, hidden]</c></summary>
    public Rows Normed { get; }

    /// <summary><c>[tokens, hidden]</c>: what a block adds to the residual stream.</summary>
    public Rows Delta { get; }

    /// <summary><c>[tokens, rotaryDim]</c></summary>
    public Rows Rotary { get; }

    /// <summary><c>[tokens, (heads + 2 * kvHeads) * headDim]</c></summary>
    public Rows Qkv { get; }

    /// <summary><c>[tokens, heads * headDim]</c></summary>
    public Rows Mixed { get; }

    /// <summary><c>[tokens, 2 * intermediate]</c></summary>
    public Rows GateUp { get; }

    /// <summary><c>[tokens, intermediate]</c></summary>
    public Rows Inner { get; }

    /// <summary><c>[samples, hidden]</c></summary>
    public Rows Sampled { get; }

    /// <summary><c>[samples, vocabulary]</c></summary>
    public Rows Logits { get; }

    public void Dispose()
    {
        foreach (var rows in (ReadOnlySpan<Rows>)[Hidden, Normed, Delta, Rotary, Qkv, Mixed, GateUp, Inner, Sampled, Logits])
        {
            rows.Buffer.Dispose();
        }
    }
}
