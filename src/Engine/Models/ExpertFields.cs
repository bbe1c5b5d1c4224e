using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>The fields with the sizes of a model's experts.</summary>
internal static class ExpertFields
{
    /// <param name="config">config.json.</param>
    /// <param name="counts">Names that the number of experts goes by; the first that is there counts.</param>
    /// <param name="inner">Name of an expert's inner width.</param>
    /// <param name="perToken">Name of the number of experts that a token is sent to.</param>
    public static ExpertWidths Read(ConfigSection config, string[] counts, string inner, string perToken = "num_experts_per_tok")
    {
        var field = Array.Find(counts, config.Has) ?? counts[0];
        var count = config.GetInt32(field, 1, 4096);
        var chosen = config.GetInt32(perToken, 1, 4096);
        return chosen <= count
            ? new ExpertWidths(count, chosen, config.GetInt32(inner, 1, 1 << 22))
            : throw config.Invalid(perToken, $"must not be above {field} ({count})");
    }

    /// <summary>n_group and topk_group: a router that chooses among groups of experts first.</summary>
    public static Routing ReadGroups(ConfigSection config, Routing routing, (int All, int Chosen)? defaults = null, string field = "n_group")
    {
        var groups = config.GetInt32(field, 1, routing.Experts, defaults?.All ?? 1);
        var chosen = config.GetInt32("topk_group", 1, groups, defaults?.Chosen ?? 1);
        if (chosen > groups || routing.Experts % groups != 0 || routing.Experts / groups < routing.GroupBest || routing.Experts / groups * chosen < routing.Chosen)
        {
            throw config.Invalid(field, $"must divide {routing.Experts} experts into groups of at least {routing.GroupBest}, of which topk_group ({chosen}) hold {routing.Chosen}");
        }

        return routing with { Groups = groups, ChosenGroups = chosen };
    }

    /// <summary>Experts chosen by sigmoid scores plus a trained correction, in groups; fields as DeepSeek 3 names them.</summary>
    /// <param name="config">config.json.</param>
    /// <param name="widths">Of the experts.</param>
    /// <param name="scale">What a missing routed_scaling_factor means.</param>
    /// <param name="groups">What a missing number of groups and of chosen ones means.</param>
    /// <param name="normalised">Name of the field that says whether the weights of the chosen sum to one.</param>
    /// <param name="field">Name of the field with the number of groups.</param>
    public static Routing ReadCorrected(ConfigSection config, ExpertWidths widths, double scale = 1, (int All, int Chosen)? groups = null, string normalised = "norm_topk_prob", string field = "n_group") => ReadGroups(
        config,
        new Routing(widths.Count, widths.Chosen, RouterFunction.Sigmoid)
        {
            GroupBest = 2,
            Normalised = config.GetBoolean(normalised, true),
            Epsilon = 1e-20f,
            Scale = (float)config.GetDouble("routed_scaling_factor", 1e-6, 1e6, scale),
        },
        groups,
        field);

    /// <summary>Says of every layer whether it has experts, as Qwen's configs do.</summary>
    public static bool[] ReadSparseLayers(ConfigSection config, int layers)
    {
        var step = config.GetInt32("decoder_sparse_step", 1, int.MaxValue, 1);
        var dense = config.FindInt32Array("mlp_only_layers", 0, 1 << 16) ?? [];
        return [.. Enumerable.Range(0, layers).Select(i => !dense.Contains(i) && (i + 1) % step == 0)];
    }
}
