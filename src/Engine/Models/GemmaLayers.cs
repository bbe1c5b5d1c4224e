using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>What gemma3n_text and gemma4_text have in common: the last layers use the keys and values of an earlier one, values are normed, every layer has an embedding of its own.</summary>
/// <param name="Hidden">The model's width.</param>
/// <param name="Epsilon">Of all norms.</param>
/// <param name="Bias">Products of attention have biases.</param>
/// <param name="Sources">For each layer the one whose keys and values it uses: itself, or an earlier one.</param>
internal sealed record GemmaLayers(int Hidden, float Epsilon, bool Bias, int[] Sources)
{
    /// <summary>Names that published checkpoints have for layers which do not use them.</summary>
    private static readonly string[] Unused = ["k_proj.", "v_proj.", "k_norm.", "v_norm."];

    /// <summary>Reads which layers share: the last <c>num_kv_shared_layers</c>, each with the last layer of its type before them.</summary>
    public static int[] ReadSources(ConfigSection config, string[] types, int absent)
    {
        const string Field = "num_kv_shared_layers";
        var own = types.Length - config.GetInt32(Field, 0, types.Length - 1, Math.Min(absent, types.Length - 1));
        return [.. types.Select((type, i) => i < own ? i : Array.LastIndexOf(types, type, own - 1) is >= 0 and var source
            ? source
            : throw config.Invalid(Field, $"leaves no layer of the type {Excerpt.Of(type)} whose keys and values layer {i} could use"))];
    }

    public void LeaveAlone(WeightLoader body)
    {
        for (var i = Array.FindIndex(Sources, s => Array.IndexOf(Sources, s) < Array.LastIndexOf(Sources, s)); i >= 0 && i < Sources.Length; i++)
        {
            if (Sources[i] != i)
            {
                Array.ForEach(Unused, name => body.IgnorePrefix($"layers.{i}.self_attn.{name}"));
            }
        }
    }

    /// <summary>Attention of layer <paramref name="i"/>.</summary>
    /// <param name="weights">Names are relative to the layer.</param>
    /// <param name="i">The layer.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="rotary">Index of its rotary table.</param>
    /// <param name="keysAreValues">Values are the keys before their norm.</param>
    public IMixer Attention(WeightLoader weights, int i, AttentionShape shape, int rotary, bool keysAreValues = false)
    {
        var w = weights.Scope("self_attn.");
        var query = w.Linear("q_proj", shape.QueryColumns, Hidden, Bias);
        Projection[] output = [w.Linear("o_proj", Hidden, shape.QueryColumns, Bias)];
        if (Sources[i] != i)
        {
            return new QueryAttention(Sources[i], shape, rotary, RotaryPairs.Halves, [query], w.Vector("q_norm.weight", shape.HeadDim), Epsilon, output);
        }

        var key = w.Linear("k_proj", shape.KeyColumns, Hidden, Bias);
        var value = keysAreValues ? key : w.Linear("v_proj", shape.KeyColumns, Hidden, Bias);
        return new Attention(i, shape, rotary, RotaryPairs.Halves, [query, key, value], output) { Norm = w.QkNorm(shape, Epsilon) with { Value = w.Ones(shape.HeadDim) } };
    }

    /// <summary>The embeddings of all layers.</summary>
    public PerLayerEmbedding Embedding(WeightLoader body, int vocabulary, int width) => new(
        body.Matrix("embed_tokens_per_layer.weight", vocabulary, checked(Sources.Length * width)),
        MathF.Sqrt(width),
        [body.Linear("per_layer_model_projection", checked(Sources.Length * width), Hidden)],
        1 / MathF.Sqrt(Hidden),
        body.Vector("per_layer_projection_norm.weight", width),
        Epsilon);

    /// <summary>What layer <paramref name="i"/> makes of its embedding.</summary>
    public PerLayerInput Input(WeightLoader weights, int i, int width) =>
        new(i, [weights.Linear("per_layer_input_gate", width, Hidden)], ActivationKind.GeluTanh, [weights.Linear("per_layer_projection", Hidden, width)]);
}
