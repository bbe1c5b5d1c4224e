namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Syntax tree of a regular expression.</summary>
internal abstract record RegexNode;

internal sealed record SetNode(CodePointBits Bits) : RegexNode;

internal sealed record SequenceNode(IReadOnlyList<RegexNode> Items) : RegexNode;

internal sealed record AlternationNode(IReadOnlyList<RegexNode> Choices) : RegexNode;

/// <param name="Item">What repeats.</param>
/// <param name="Min">At least.</param>
/// <param name="Max">At most; <see cref="int.MaxValue"/> without limit.</param>
/// <param name="Kind">Greedy, lazy or possessive.</param>
internal sealed record RepeatNode(RegexNode Item, int Min, int Max, RepeatKind Kind) : RegexNode;

internal sealed record LookNode(RegexNode Item, bool Behind, bool Negative) : RegexNode;

internal sealed record AtomicNode(RegexNode Item) : RegexNode;

internal sealed record AnchorNode(AnchorKind Kind) : RegexNode;

internal enum RepeatKind
{
    Greedy,
    Lazy,
    Possessive,
}

internal enum AnchorKind
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastLine,
    SearchStart,
    WordBoundary,
    NotWordBoundary,
}
