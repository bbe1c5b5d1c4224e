namespace KvPrefetch.Engine.Text.Tokenization;

internal enum RegexOp
{
    /// <summary>One character of a set.</summary>
    Set,
    /// <summary>As many characters of a set as there are, giving back one by one down to the minimum.</summary>
    GreedyRun,
    /// <summary>As few characters of a set as will do.</summary>
    LazyRun,
    /// <summary>As many as there are, giving nothing back.</summary>
    PossessiveRun,
    /// <summary>Goes on at X, and at Y if that fails.</summary>
    Split,
    Jump,
    /// <summary>Remembers the position in slot X.</summary>
    Mark,
    /// <summary>Jumps to Y unless nothing was read since slot X was marked.</summary>
    LoopUnlessEmpty,
    /// <summary>Runs the program at X without moving; goes on at Y.</summary>
    LookAhead,
    NotAhead,
    /// <summary>Runs the program at X from each possible distance before; goes on at Y.</summary>
    LookBehind,
    NotBehind,
    /// <summary>Runs the program at X and keeps its first result; goes on at Y.</summary>
    Atomic,
    Anchor,
    /// <summary>Succeeds; after a look behind only where that began.</summary>
    Accept,
    AcceptBehind,
}

/// <summary>One step of a <see cref="RegexProgram"/>.</summary>
internal readonly record struct RegexInstruction(RegexOp Op, int X = 0, int Y = 0, CodePointSet? Set = null, int[]? Distances = null);

/// <summary>A regular expression compiled for <see cref="RegexMatcher"/>.</summary>
internal sealed class RegexProgram
{
    private const int MaxInstructions = 20_000;
    private const int MaxDistances = 256;

    private readonly List<RegexInstruction> _code = [];
    private readonly Dictionary<CodePointBits, CodePointSet> _sets = new(ReferenceEqualityComparer.Instance as IEqualityComparer<CodePointBits>);
    private readonly string _source;
    private readonly string _where;

    private RegexProgram(string source, string where)
    {
        _source = source;
        _where = where;
    }

    public RegexInstruction[] Code { get; private set; } = [];

    public int Slots { get; private set; }

    /// <summary>Characters that a match can begin with; null where a match may be empty.</summary>
    public CodePointSet? First { get; private set; }

    public static RegexProgram Compile(string source, string where)
    {
        var node = RegexParser.Parse(source, where);
        var program = new RegexProgram(source, where);
        program.Emit(node);
        program.Add(new RegexInstruction(RegexOp.Accept));
        program.Code = [.. program._code];
        var first = new CodePointBits();
        program.First = AddFirst(node, first) ? null : first.ToSet();
        return program;
    }

    private TokenizerFormatException Invalid(string what)
        => TokenizerErrors.Format("InvalidPattern", $"tokenizer.json: the pattern '{TokenizerErrors.Shown(_source)}' of {_where} {what}.");

    private int Add(RegexInstruction instruction)
    {
        if (_code.Count >= MaxInstructions)
        {
            throw Invalid($"takes more than {MaxInstructions} steps when its repeats are written out");
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    private CodePointSet SetOf(SetNode node)
    {
        if (!_sets.TryGetValue(node.Bits, out var set))
        {
            _sets.Add(node.Bits, set = node.Bits.ToSet());
        }

        return set;
    }

    private void Emit(RegexNode node)
    {
        switch (node)
        {
            case SetNode set:
                Add(new RegexInstruction(RegexOp.Set, Set: SetOf(set)));
                break;
            case SequenceNode sequence:
                foreach (var item in sequence.Items)
                {
                    Emit(item);
                }

                break;
            case AlternationNode alternation:
                EmitAlternation(alternation);
                break;
            case RepeatNode repeat:
                EmitRepeat(repeat);
                break;
            case AtomicNode atomic:
                EmitSub(RegexOp.Atomic, atomic.Item, RegexOp.Accept, distances: null);
                break;
            case LookNode { Behind: false } look:
                EmitSub(look.Negative ? RegexOp.NotAhead : RegexOp.LookAhead, look.Item, RegexOp.Accept, distances: null);
                break;
            case LookNode look:
                var distances = new SortedSet<int>();
                AddLengths(look.Item, distances);
                EmitSub(look.Negative ? RegexOp.NotBehind : RegexOp.LookBehind, look.Item, RegexOp.AcceptBehind, [.. distances]);
                break;
            case AnchorNode anchor:
                Add(new RegexInstruction(RegexOp.Anchor, (int)anchor.Kind));
                break;
            default:
                throw new InvalidOperationException();
        }
    }

    private void EmitSub(RegexOp op, RegexNode item, RegexOp accept, int[]? distances)
    {
        var at = Add(default);
        Emit(item);
        Add(new RegexInstruction(accept));
        _code[at] = new RegexInstruction(op, at + 1, _code.Count, Distances: distances);
    }

    private void EmitAlternation(AlternationNode alternation)
    {
        var jumps = new List<int>();
        for (var i = 0; i < alternation.Choices.Count; i++)
        {
            var isLast = i == alternation.Choices.Count - 1;
            var split = isLast ? -1 : Add(default);
            Emit(alternation.Choices[i]);
            if (!isLast)
            {
                jumps.Add(Add(default));
                _code[split] = new RegexInstruction(RegexOp.Split, split + 1, _code.Count);
            }
        }

        foreach (var jump in jumps)
        {
            _code[jump] = new RegexInstruction(RegexOp.Jump, _code.Count);
        }
    }

    private void EmitRepeat(RepeatNode repeat)
    {
        var item = repeat.Item;
        while (item is SequenceNode { Items: [var only] })
        {
            item = only;
        }

        if (item is SetNode set)
        {
            var op = repeat.Kind switch { RepeatKind.Greedy => RegexOp.GreedyRun, RepeatKind.Lazy => RegexOp.LazyRun, _ => RegexOp.PossessiveRun };
            Add(new RegexInstruction(op, repeat.Min, repeat.Max, SetOf(set)));
            return;
        }

        if (repeat.Kind == RepeatKind.Possessive)
        {
            EmitSub(RegexOp.Atomic, repeat with { Kind = RepeatKind.Greedy }, RegexOp.Accept, distances: null);
            return;
        }

        for (var i = 0; i < repeat.Min; i++)
        {
            Emit(item);
        }

        if (repeat.Max == int.MaxValue)
        {
            EmitLoop(item, repeat.Kind);
            return;
        }

        var skips = new List<int>();
        for (var i = repeat.Min; i < repeat.Max; i++)
        {
            skips.Add(Add(default));
            Emit(item);
        }

        foreach (var skip in skips)
        {
            _code[skip] = Branch(repeat.Kind, skip + 1, _code.Count);
        }
    }

    private void EmitLoop(RegexNode item, RepeatKind kind)
    {
        var slot = Slots++;
        var split = Add(default);
        Add(new RegexInstruction(RegexOp.Mark, slot));
        Emit(item);
        Add(new RegexInstruction(RegexOp.LoopUnlessEmpty, slot, split));
        _code[split] = Branch(kind, split + 1, _code.Count);
    }

    private static RegexInstruction Branch(RepeatKind kind, int enter, int skip)
        => kind == RepeatKind.Lazy ? new RegexInstruction(RegexOp.Split, skip, enter) : new RegexInstruction(RegexOp.Split, enter, skip);

    /// <summary>All lengths, in characters, that a look behind can have.</summary>
    private void AddLengths(RegexNode node, SortedSet<int> lengths)
    {
        switch (node)
        {
            case SetNode:
                lengths.Add(1);
                break;
            case LookNode or AnchorNode:
                lengths.Add(0);
                break;
            case AtomicNode atomic:
                AddLengths(atomic.Item, lengths);
                break;
            case AlternationNode alternation:
                foreach (var choice in alternation.Choices)
                {
                    AddLengths(choice, lengths);
                }

                break;
            case SequenceNode sequence:
                var total = new SortedSet<int> { 0 };
                foreach (var item in sequence.Items)
                {
                    var more = new SortedSet<int>();
                    AddLengths(item, more);
                    total = Sums(total, more);
                }

                lengths.UnionWith(total);
                break;
            case RepeatNode { Max: < MaxDistances } repeat:
                var one = new SortedSet<int>();
                AddLengths(repeat.Item, one);
                var sum = new SortedSet<int> { 0 };
                for (var i = 0; i <= repeat.Max; i++)
                {
                    if (i >= repeat.Min)
                    {
                        lengths.UnionWith(sum);
                    }

                    sum = Sums(sum, one);
                }

                break;
            default:
                throw Invalid("looks behind without a limit");
        }
    }

    private SortedSet<int> Sums(SortedSet<int> left, SortedSet<int> right)
    {
        var sums = new SortedSet<int>(left.SelectMany(_ => right, (a, b) => a + b));
        return sums.Count <= MaxDistances && sums.Max <= MaxDistances ? sums : throw Invalid($"looks behind further than {MaxDistances} characters");
    }

    /// <summary>Adds what the node can begin with.</summary>
    /// <returns>True where it may match nothing.</returns>
    private static bool AddFirst(RegexNode node, CodePointBits first)
    {
        switch (node)
        {
            case SetNode set:
                first.UnionWith(set.Bits);
                return false;
            case SequenceNode sequence:
                return sequence.Items.All(item => AddFirst(item, first));
            case AlternationNode alternation:
                return alternation.Choices.Aggregate(seed: false, (empty, choice) => AddFirst(choice, first) | empty);
            case RepeatNode repeat:
                return AddFirst(repeat.Item, first) | repeat.Min == 0;
            case AtomicNode atomic:
                return AddFirst(atomic.Item, first);
            default:
                return true;
        }
    }
}
