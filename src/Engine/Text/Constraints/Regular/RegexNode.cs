namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>A parsed regular expression.</summary>
internal abstract record RegexNode
{
    public static readonly RegexNode Nothing = new SequenceNode([]);

    /// <summary>Whether an assertion (anchor, look-ahead) stands in it.</summary>
    public virtual bool Asserts => false;
}

/// <summary>One character out of ranges, ascending and apart.</summary>
internal sealed record ClassNode(IReadOnlyList<(int First, int Last)> Ranges) : RegexNode;

internal sealed record SequenceNode(IReadOnlyList<RegexNode> Parts) : RegexNode
{
    public override bool Asserts { get; } = Parts.Any(p => p.Asserts);
}

internal sealed record ChoiceNode(IReadOnlyList<RegexNode> Parts) : RegexNode
{
    public override bool Asserts { get; } = Parts.Any(p => p.Asserts);
}

internal sealed record RepeatNode(RegexNode Body, int Min, int Max) : RegexNode
{
    public override bool Asserts { get; } = Body.Asserts;
}

/// <summary>Start or end of the text.</summary>
internal sealed record AnchorNode(bool IsStart) : RegexNode
{
    public override bool Asserts => true;
}

/// <summary>What follows matches, or does not.</summary>
internal sealed record LookNode(RegexNode Body, bool IsNegative) : RegexNode
{
    public override bool Asserts => true;
}
