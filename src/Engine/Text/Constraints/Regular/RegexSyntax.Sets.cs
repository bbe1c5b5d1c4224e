namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>Sets of characters in brackets.</content>
internal sealed partial class RegexSyntax
{
    private List<(int, int)> Bracket()
    {
        var open = _at - 1;
        var negated = More && Peek == '^';
        if (negated)
        {
            _at++;
        }

        List<(int, int)> ranges = [];
        // Rust and Python take a bracket in front for a character; in ECMA-262 an empty class is one.
        var first = _dialect == RegexDialect.Unicode;
        while (true)
        {
            if (!More)
            {
                _at = open;
                throw Invalid("'[' has no ']'");
            }

            if (Peek == ']' && !first)
            {
                _at++;
                break;
            }

            first = false;
            if (_dialect == RegexDialect.Unicode && Peek == '[' && _at + 1 < _text.Length && _text[_at + 1] == ':')
            {
                var end = _text.IndexOf(":]", _at + 2, StringComparison.Ordinal);
                if (end < 0)
                {
                    throw Invalid("the name of a class has no end");
                }

                ranges.AddRange(Named(_text[(_at + 2)..end]));
                _at = end + 2;
                continue;
            }

            var item = Item(out var set);
            if (set is not null)
            {
                ranges.AddRange(set);
                continue;
            }

            if (More && Peek == '-' && _at + 1 < _text.Length && _text[_at + 1] != ']')
            {
                var dash = _at++;
                var last = Item(out set);
                if (set is not null)
                {
                    ranges.AddRange([(item, item), ('-', '-'), .. set]);
                    continue;
                }

                if (last < item)
                {
                    _at = dash;
                    throw Invalid("a range of characters is out of order");
                }

                ranges.Add((item, last));
                continue;
            }

            ranges.Add((item, item));
        }

        var sorted = Normalize(ranges);
        return negated ? Invert(sorted) : sorted;
    }

    private int Item(out IReadOnlyList<(int, int)>? set)
    {
        set = null;
        if (Peek != '\\')
        {
            return CodePoint();
        }

        _at++;
        if (!More)
        {
            throw Invalid("the expression ends in a backslash");
        }

        set = EscapedSet();
        if (set is not null)
        {
            return 0;
        }

        if (Peek == 'b')
        {
            _at++;
            return '\b';
        }

        return EscapedCharacter();
    }

    private int CodePoint()
    {
        var c = _text[_at++];
        return char.IsHighSurrogate(c) && More && char.IsLowSurrogate(Peek) ? char.ConvertToUtf32(c, _text[_at++]) : c;
    }

    private static (int, int) Single(int c) => (c, c);

    private static List<(int, int)> Normalize(List<(int First, int Last)> ranges)
    {
        ranges.Sort();
        List<(int First, int Last)> merged = [];
        foreach (var (first, last) in ranges)
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            }
            else
            {
                merged.Add((first, last));
            }
        }

        return merged;
    }

    private static List<(int, int)> Invert(IReadOnlyList<(int First, int Last)> ranges)
    {
        List<(int, int)> inverse = [];
        var at = 0;
        foreach (var (first, last) in ranges)
        {
            if (first > at)
            {
                inverse.Add((at, first - 1));
            }

            at = last + 1;
        }

        if (at <= 0x10FFFF)
        {
            inverse.Add((at, 0x10FFFF));
        }

        return inverse;
    }
}
