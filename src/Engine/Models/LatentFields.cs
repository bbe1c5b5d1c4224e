using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>Latent attention as families write it in config.json and in tensor names.</summary>
/// <param name="Hidden">Width of the model.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Turning">Elements of q and k that turn.</param>
/// <param name="Still">Elements of a head's q and k that do not.</param>
/// <param name="Value">Elements of a head's value.</param>
/// <param name="Latent">Elements of the latent.</param>
/// <param name="QueryLatent">Elements of the query's short form; 0 where it has none.</param>
/// <param name="Bias">The products to the short forms and back to the model's width have one.</param>
internal sealed record LatentFields(int Hidden, int Heads, int Turning, int Still, int Value, int Latent, int QueryLatent, bool Bias)
{
    /// <summary>Not in config.json.</summary>
    private const float NormEpsilon = 1e-6f;

    /// <summary>See <see cref="TransformerWidths.Projected"/>.</summary>
    public int Projected => checked(Heads * (Turning + Still));

    /// <summary>See <see cref="TransformerWidths.Scanned"/>.</summary>
    public int Scanned => Math.Max(QueryLatent, checked(Heads * Value));

    /// <param name="config">config.json.</param>
    /// <param name="hidden">Width of the model.</param>
    /// <param name="least">Fewest elements that turn.</param>
    /// <param name="queryLatent">The query's short form where config.json does not mention it; it mentions null where there is none.</param>
    public static LatentFields Read(HfConfig config, int hidden, int least = 2, int queryLatent = 0)
    {
        var heads = config.GetInt32("num_attention_heads", 1, 4096);
        if (config.GetInt32("num_key_value_heads", 1, 4096, heads) != heads)
        {
            throw config.Unsupported("num_key_value_heads", "another number than num_attention_heads", "the same");
        }

        var fields = new LatentFields(
            hidden,
            heads,
            config.GetInt32("qk_rope_head_dim", least, 1024),
            config.GetInt32("qk_nope_head_dim", 1, 4096),
            config.GetInt32("v_head_dim", 1, 4096),
            config.GetInt32("kv_lora_rank", 1, 1 << 14),
            config.Mentions("q_lora_rank") ? config.GetInt32("q_lora_rank", 1, 1 << 16, 0) : queryLatent,
            config.GetBoolean("attention_bias", false));
        var size = config.GetInt32("qk_head_dim", 1, 1 << 13, fields.Turning + fields.Still);
        return size == fields.Turning + fields.Still ? fields : throw config.Invalid("qk_head_dim", $"must be qk_nope_head_dim ({fields.Still}) + qk_rope_head_dim ({fields.Turning})");
    }

    /// <param name="factor">On the scale of the scores.</param>
    public AttentionShape Shape(double factor = 1) =>
        new(Heads, KvHeads: 1, Turning + Latent, (float)(factor / Math.Sqrt(Turning + Still))) { ValuesInKeys = Latent };

    /// <param name="w">Scope of the layer's attention.</param>
    /// <param name="layer">Index into the KV cache.</param>
    /// <param name="shape">From <see cref="Shape"/>.</param>
    /// <param name="rotary">Index of the rotary table; -1: nothing turns.</param>
    /// <param name="pairs">Which elements turn together.</param>
    public LatentAttention Mixer(WeightLoader w, int layer, AttentionShape shape, int rotary = 0, RotaryPairs pairs = RotaryPairs.Neighbours)
    {
        var query = QueryLatent > 0 ? "q_b_proj" : "q_proj";
        var key = w.Parts("kv_a_proj_with_mqa", 1, [Latent, Turning], Hidden, Bias);
        var heads = w.Parts(query, Heads, [Still, Turning], QueryLatent > 0 ? QueryLatent : Hidden);
        var (to, from) = w.LatentHeads("kv_b_proj", Heads, Still, Value, Latent);
        return new LatentAttention(layer, shape, rotary, pairs, new LatentWeights
        {
            QueryDown = QueryLatent > 0 ? [w.Linear("q_a_proj", QueryLatent, Hidden, Bias)] : [],
            QueryNorm = QueryLatent > 0 ? w.RmsNorm("q_a_layernorm", QueryLatent, NormEpsilon) : null,
            Query = [.. heads.SelectMany(parts => (Projection[])[.. Turning > 0 ? [parts[1]] : (Projection[])[], parts[0]])],
            Key = [.. Turning > 0 ? [key[0][1]] : (Projection[])[], key[0][0]],
            LatentNorm = w.RmsNorm("kv_a_layernorm", Latent, NormEpsilon),
            ToLatent = to,
            FromLatent = from,
            Output = [w.Linear("o_proj", Hidden, Heads * Value, Bias)],
        });
    }
}
