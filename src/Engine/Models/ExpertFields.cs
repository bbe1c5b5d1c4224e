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
    public static ExpertWidths Read(ConfigSection config, string[] counts, string inner)
    {
        var field = Array.Find(counts, config.Has) ?? counts[0];
        var count = config.GetInt32(field, 1, 4096);
        var chosen = config.GetInt32("num_experts_per_tok", 1, 4096);
        return chosen <= count
            ? new ExpertWidths(count, chosen, config.GetInt32(inner, 1, 1 << 22))
            : throw config.Invalid("num_experts_per_tok", $"must not be above {field} ({count})");
    }

    /// <summary>n_group and topk_group: a router that chooses among groups of experts first.</summary>
    public static Routing ReadGroups(ConfigSection config, Routing routing, string field = "n_group")
    {
        var groups = config.GetInt32(field, 1, routing.Experts, 1);
        var chosen = config.GetInt32("topk_group", 1, groups, 1);
        if (routing.Experts % groups != 0 || routing.Experts / groups < routing.GroupBest || routing.Experts / groups * chosen < routing.Chosen)
        {
            throw config.Invalid(field, $"must divide {routing.Experts} experts into groups of at least {routing.GroupBest}, of which topk_group ({chosen}) hold {routing.Chosen}");
        }

        return routing with { Groups = groups, ChosenGroups = chosen };
    }

    /// <summary>Experts chosen by sigmoid scores plus a trained correction, in groups; fields as DeepSeek 3 names them.</summary>
    /// <param name="config">config.json.</param>
    /// <param name="widths">Of the experts.</param>
    /// <param name="normalised">Name of the field that says whether the weights of the chosen sum to one.</param>
    /// <param name="groups">Name of the field with the number of groups.</param>
    public static Routing ReadCorrected(ConfigSection config, ExpertWidths widths, string normalised = "norm_topk_prob", string groups = "n_group") => ReadGroups(
        config,
        new Routing(widths.Count, widths.Chosen, RouterFunction.Sigmoid)
        {
            GroupBest = 2,
            Normalised = config.GetBoolean(normalised, true),
            Epsilon = 1e-20f,
            Scale = (float)config.GetDouble("routed_scaling_factor", 1e-6, 1e6, 1),
        },
        groups);

    /// <summary>Says of every layer whether it has experts, as Qwen's configs do.</summary>
    public static bool[] ReadSparseLayers(ConfigSection config, int layers)
    {
        var step = config.GetInt32("decoder_sparse_step", 1, int.MaxValue, 1);
        var dense = config.FindInt32Array("mlp_only_layers", 0, 1 << 16) ?? [];
        return [.. Enumerable.Range(0, layers).Select(i => !dense.Contains(i) && (i + 1) % step == 0)];
    }
}
