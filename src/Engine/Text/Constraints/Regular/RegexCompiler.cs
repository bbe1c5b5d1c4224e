namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>Regular expressions as languages of whole texts. It goes from the end to the start: what follows a look-ahead is known when the look-ahead is reached, so that it becomes an intersection.</summary>
internal static class RegexCompiler
{
    private const int MaxCopies = 64;

    /// <summary>Texts that match as a whole.</summary>
    public static int Whole(ExprPool pool, RegexNode node) => Convert(pool, node, ExprPool.Epsilon, atStart: true);

    /// <summary>Texts that have a match somewhere.</summary>
    public static int Search(ExprPool pool, RegexNode node)
    {
        var inside = Convert(pool, node, pool.AnyText, atStart: false);
        var anywhere = pool.Concat(pool.AnyText, inside);
        return node.Asserts ? pool.Alt(Convert(pool, node, pool.AnyText, atStart: true), anywhere) : anywhere;
    }

    /// <summary>Refuses what <see cref="Search"/> would refuse, before anything is built.</summary>
    public static void Check(RegexNode node, string? pointer)
    {
        Deep.Check();
        switch (node)
        {
            case RepeatNode { Asserts: true } repeat when repeat.Max != ExprPool.Infinite && repeat.Max > MaxCopies:
            case RepeatNode { Asserts: true, Max: ExprPool.Infinite } looks when Looks(looks.Body) && !LooksThenReads(looks.Body):
                throw GrammarErrors.Unsupported("The regular expression repeats an assertion (an anchor or a look-ahead), which is not supported", pointer);
            case RepeatNode repeat:
                Check(repeat.Body, pointer);
                break;
            case LookNode look:
                Check(look.Body, pointer);
                break;
            case SequenceNode sequence:
                foreach (var part in sequence.Parts)
                {
                    Check(part, pointer);
                }

                break;
            case ChoiceNode choice:
                foreach (var part in choice.Parts)
                {
                    Check(part, pointer);
                }

                break;
        }
    }

    private static int Convert(ExprPool pool, RegexNode node, int rest, bool atStart)
    {
        if (!node.Asserts)
        {
            return pool.Concat(Plain(pool, node), rest);
        }

        Deep.Check();
        switch (node)
        {
            case AnchorNode { IsStart: true }:
                return atStart ? rest : ExprPool.Empty;
            case AnchorNode:
                return pool.Nullable(rest) ? ExprPool.Epsilon : ExprPool.Empty;
            case LookNode look:
                // What is looked at may go on beyond what is matched.
                var seen = Convert(pool, look.Body, pool.AnyText, atStart);
                return pool.And(look.IsNegative ? pool.Not(seen) : seen, rest);
            case ChoiceNode choice:
                return pool.Alt([.. choice.Parts.Select(part => Convert(pool, part, rest, atStart))]);
            case SequenceNode sequence:
                return Sequence(pool, sequence.Parts, 0, rest, atStart);
            case RepeatNode repeat:
                return Repeat(pool, repeat, rest, atStart);
            default:
                return ExprPool.Empty;
        }
    }

    private static int Sequence(ExprPool pool, IReadOnlyList<RegexNode> parts, int from, int rest, bool atStart)
    {
        // From the end; a part stands at the start of the text only where nothing before it takes a character.
        var start = atStart;
        var starts = new bool[parts.Count];
        for (var i = from; i < parts.Count; i++)
        {
            starts[i] = start;
            start &= parts[i] is AnchorNode or LookNode;
        }

        var e = rest;
        for (var i = parts.Count - 1; i >= from; i--)
        {
            var whole = Convert(pool, parts[i], e, starts[i]);
            if (starts[i] && i + 1 < parts.Count && !starts[i + 1] && Skippable(parts[i]) && parts.Skip(i + 1).Any(part => part.Asserts))
            {
                // It may be left out, and what follows is at the start then.
                whole = pool.Alt(whole, Sequence(pool, parts, i + 1, rest, atStart: true));
            }

            e = whole;
        }

        return e;
    }

    private static bool Skippable(RegexNode node) => node switch
    {
        RepeatNode repeat => repeat.Min == 0 || Skippable(repeat.Body),
        SequenceNode sequence => sequence.Parts.All(Skippable),
        ChoiceNode choice => choice.Parts.Any(Skippable),
        ClassNode => false,
        _ => true,
    };

    private static int Repeat(ExprPool pool, RepeatNode repeat, int rest, bool atStart)
    {
        if (repeat.Max == ExprPool.Infinite)
        {
            return Looks(repeat.Body) ? RepeatLooks(pool, repeat, rest) : RepeatAnchors(pool, repeat, rest, atStart);
        }

        var copies = repeat.Max;

        var e = rest;
        for (var i = copies; i > 0; i--)
        {
            var once = Convert(pool, repeat.Body, e, atStart && i == 1);
            e = i > repeat.Min ? pool.Alt(once, rest) : once;
        }

        return e;
    }

    /// <summary>The start of the text can stand in the first round only, its end in the last.</summary>
    private static int RepeatAnchors(ExprPool pool, RepeatNode repeat, int rest, bool atStart)
    {
        var inner = pool.Repeat(Plain(pool, repeat.Body), Math.Max(0, repeat.Min - 2), ExprPool.Infinite);
        var last = Convert(pool, repeat.Body, rest, atStart: false);
        return pool.Alt([
            repeat.Min == 0 ? rest : ExprPool.Empty,
            repeat.Min <= 1 ? Convert(pool, repeat.Body, rest, atStart) : ExprPool.Empty,
            Convert(pool, repeat.Body, pool.Concat(inner, last), atStart)]);
    }

    /// <summary>As in <c>((?!x).)*$</c>: wherever a round begins, what follows is looked at.</summary>
    private static int RepeatLooks(ExprPool pool, RepeatNode repeat, int rest)
    {
        if (rest != ExprPool.Epsilon || !LooksThenReads(repeat.Body))
        {
            throw GrammarErrors.Unsupported("The regular expression repeats a look-ahead before its end, which is not supported");
        }

        var parts = ((SequenceNode)repeat.Body).Parts;
        var round = Plain(pool, new SequenceNode([.. parts.Where(p => p is not LookNode)]));
        var e = pool.Repeat(round, repeat.Min, ExprPool.Infinite);
        foreach (var look in parts.OfType<LookNode>())
        {
            var seen = Convert(pool, look.Body, pool.AnyText, atStart: false);
            e = pool.And(e, pool.Not(pool.Concat(pool.Star(round), pool.And(look.IsNegative ? seen : pool.Not(seen), pool.Repeat(round, 1, ExprPool.Infinite)))));
        }

        return e;
    }

    private static bool Looks(RegexNode node) => node switch
    {
        LookNode => true,
        SequenceNode sequence => sequence.Parts.Any(Looks),
        ChoiceNode choice => choice.Parts.Any(Looks),
        RepeatNode repeat => Looks(repeat.Body),
        _ => false,
    };

    private static bool LooksThenReads(RegexNode node)
        => node is SequenceNode { Parts: [LookNode, .., ClassNode] parts } && parts.Take(parts.Count - 1).All(p => p is LookNode);

    private static int Plain(ExprPool pool, RegexNode node)
    {
        Deep.Check();
        switch (node)
        {
            case ClassNode set:
                return Utf8Classes.Build(pool, set.Ranges);
            case SequenceNode sequence:
                var e = ExprPool.Epsilon;
                for (var i = sequence.Parts.Count - 1; i >= 0; i--)
                {
                    e = pool.Concat(Plain(pool, sequence.Parts[i]), e);
                }

                return e;
            case ChoiceNode choice:
                return pool.Alt([.. choice.Parts.Select(part => Plain(pool, part))]);
            case RepeatNode repeat:
                return pool.Repeat(Plain(pool, repeat.Body), repeat.Min, repeat.Max);
            default:
                return ExprPool.Empty;
        }
    }
}
