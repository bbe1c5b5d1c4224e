namespace KvPrefetch.Engine.Models;

/// <summary>Fields of config.json with the sizes of a model.</summary>
internal sealed record SizeFields
{
    public string Hidden { get; init; } = "hidden_size";
    public string Inner { get; init; } = "intermediate_size";

    /// <summary>The inner width where its field is absent, as a multiple of the hidden one; 0: the field must be there.</summary>
    public int InnerPerHidden { get; init; }

    /// <summary>The inner width may be a list with an entry for each layer, which the family reads itself; the largest counts here.</summary>
    public bool InnerPerLayer { get; init; }
    public string Layers { get; init; } = "num_hidden_layers";

    /// <summary>The number of layers, where the family counts them in another way than by that field.</summary>
    public int? LayerCount { get; init; }
    public string Heads { get; init; } = "num_attention_heads";

    /// <summary>Null where the family has as many as query heads, whatever the config says.</summary>
    public string? KvHeads { get; init; } = "num_key_value_heads";
    public string HeadDim { get; init; } = "head_dim";
    public string Positions { get; init; } = "max_position_embeddings";
}

/// <summary>Names of tensors and groups outside the layers.</summary>
internal sealed record BodyNames
{
    /// <summary>Before all names but the head's.</summary>
    public string Prefix { get; init; } = "model.";

    /// <summary>Some checkpoints of the family leave the prefix out.</summary>
    public bool PrefixMayLack { get; init; }
    public string Table { get; init; } = "embed_tokens";

    /// <summary>Learned positions, or null.</summary>
    public string? Positions { get; init; }
    public string Layers { get; init; } = "layers";
    public string Norm { get; init; } = "norm";
    public string Head { get; init; } = "lm_head";

    /// <summary>Beginnings of names beside the model that it does without, such as those of a head that guesses further tokens.</summary>
    public string[] Beside { get; init; } = [];
}
