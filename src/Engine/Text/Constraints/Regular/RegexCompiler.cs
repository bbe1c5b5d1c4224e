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
            case RepeatNode { Asserts: true } repeat when (repeat.Max == ExprPool.Infinite ? MaxCopies + 1 : repeat.Max) > MaxCopies:
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
        var copies = repeat.Max == ExprPool.Infinite ? repeat.Min : repeat.Max;
        if (repeat.Max == ExprPool.Infinite || copies > MaxCopies)
        {
            throw GrammarErrors.Unsupported("The regular expression repeats an assertion (an anchor or a look-ahead), which is not supported");
        }

        var e = rest;
        for (var i = copies; i > 0; i--)
        {
            var once = Convert(pool, repeat.Body, e, atStart && i == 1);
            e = i > repeat.Min ? pool.Alt(once, rest) : once;
        }

        return e;
    }

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
