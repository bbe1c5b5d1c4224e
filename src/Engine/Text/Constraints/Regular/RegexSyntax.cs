using System.Collections.Concurrent;
using System.Globalization;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>Whose meaning a regular expression has.</summary>
internal enum RegexDialect
{
    /// <summary>Classes are Unicode's; the whole text matches.</summary>
    Unicode,
    /// <summary>ECMA-262, as JSON Schema says: classes are ASCII, a match may lie anywhere in the text.</summary>
    Ecma,
}

/// <summary>Parses regular expressions. What is no regular language (back references) or looks behind is refused.</summary>
internal sealed class RegexSyntax
{
    private const int MaxDepth = 128;
    private const int MaxCount = 65_536;
    private const int MaxProduct = 1_000_000;
    private const int MaxLength = 65_536;

    private static readonly ConcurrentDictionary<string, IReadOnlyList<(int, int)>> s_named = new(StringComparer.Ordinal);

    private readonly string _text;
    private readonly RegexDialect _dialect;
    private readonly string? _pointer;
    private int _at;
    private int _depth;

    private RegexSyntax(string text, RegexDialect dialect, string? pointer) => (_text, _dialect, _pointer) = (text, dialect, pointer);

    /// <exception cref="GrammarException">The expression is malformed, asks for what is not supported, or is too large.</exception>
    public static RegexNode Parse(string text, RegexDialect dialect, string? pointer = null)
    {
        if (text.Length > MaxLength)
        {
            throw GrammarErrors.Limit(FormattableString.Invariant($"The regular expression has {text.Length} characters; at most {MaxLength} are allowed"), pointer);
        }

        var parser = new RegexSyntax(text, dialect, pointer);
        var node = parser.Choice();
        if (parser._at < text.Length)
        {
            throw parser.Invalid("')' has no '('");
        }

        parser.CheckProduct(node, 1);
        return node;
    }

    private bool More => _at < _text.Length;

    private char Peek => _text[_at];

    private void CheckProduct(RegexNode node, long product)
    {
        Deep.Check();
        switch (node)
        {
            case RepeatNode repeat:
                product *= Math.Max(1, repeat.Max == ExprPool.Infinite ? repeat.Min : repeat.Max);
                if (product >= MaxProduct)
                {
                    throw GrammarErrors.Limit($"The repetitions in the regular expression multiply to {MaxProduct} or more", _pointer);
                }

                CheckProduct(repeat.Body, product);
                break;
            case SequenceNode sequence:
                foreach (var part in sequence.Parts)
                {
                    CheckProduct(part, product);
                }

                break;
            case ChoiceNode choice:
                foreach (var part in choice.Parts)
                {
                    CheckProduct(part, product);
                }

                break;
            case LookNode look:
                CheckProduct(look.Body, product);
                break;
        }
    }

    private RegexNode Choice()
    {
        if (++_depth > MaxDepth)
        {
            throw GrammarErrors.Limit($"Groups of the regular expression are nested more than {MaxDepth} deep", _pointer);
        }

        List<RegexNode> parts = [Sequence()];
        while (More && Peek == '|')
        {
            _at++;
            parts.Add(Sequence());
        }

        _depth--;
        return parts.Count == 1 ? parts[0] : new ChoiceNode(parts);
    }

    private RegexNode Sequence()
    {
        List<RegexNode> parts = [];
        while (More && Peek is not ('|' or ')'))
        {
            parts.Add(Quantified());
        }

        return parts.Count == 1 ? parts[0] : new SequenceNode(parts);
    }

    private RegexNode Quantified()
    {
        var start = _at;
        var atom = Atom();
        if (!TryQuantifier(out var min, out var max))
        {
            return atom;
        }

        if (atom is AnchorNode or LookNode)
        {
            _at = start;
            throw Invalid("an assertion cannot be repeated");
        }

        if (More && Peek == '?')
        {
            // Lazy: the same language.
            _at++;
        }

        var next = _at;
        if (TryQuantifier(out _, out _))
        {
            _at = next;
            throw Invalid("a quantifier follows a quantifier");
        }

        return new RepeatNode(atom, min, max);
    }

    private bool TryQuantifier(out int min, out int max)
    {
        (min, max) = (0, ExprPool.Infinite);
        if (!More)
        {
            return false;
        }

        switch (Peek)
        {
            case '*':
                _at++;
                return true;
            case '+':
                _at++;
                min = 1;
                return true;
            case '?':
                _at++;
                max = 1;
                return true;
            case '{':
                return TryCount(out min, out max);
            default:
                return false;
        }
    }

    private bool TryCount(out int min, out int max)
    {
        (min, max) = (0, ExprPool.Infinite);
        var start = _at++;
        var first = Digits();
        var comma = More && Peek == ',';
        if (comma)
        {
            _at++;
        }

        var second = comma ? Digits() : first;
        if (!More || Peek != '}' || first.Length == 0)
        {
            // A brace that counts nothing stands for itself.
            _at = start;
            return false;
        }

        _at++;
        min = Count(first);
        max = second.Length == 0 ? ExprPool.Infinite : Count(second);
        if (max < min)
        {
            _at = start;
            throw Invalid("the bounds of a repetition are out of order");
        }

        return true;
    }

    private string Digits()
    {
        var start = _at;
        while (More && char.IsAsciiDigit(Peek))
        {
            _at++;
        }

        return _text[start.._at];
    }

    private int Count(string digits)
    {
        if (digits.Length > 9 || int.Parse(digits, CultureInfo.InvariantCulture) > MaxCount)
        {
            throw GrammarErrors.Limit($"A repetition of {GrammarErrors.Shown(digits)} in the regular expression; at most {MaxCount} is allowed", _pointer);
        }

        return int.Parse(digits, CultureInfo.InvariantCulture);
    }

    private RegexNode Atom()
    {
        var c = Peek;
        switch (c)
        {
            case '(':
                return Group();
            case '[':
                _at++;
                return new ClassNode(Bracket());
            case '.':
                _at++;
                return new ClassNode(Invert(_dialect == RegexDialect.Ecma ? [('\n', '\n'), ('\r', '\r'), (0x2028, 0x2029)] : [('\n', '\n')]));
            case '^':
                _at++;
                return new AnchorNode(IsStart: true);
            case '$':
                _at++;
                return new AnchorNode(IsStart: false);
            case '\\':
                _at++;
                return Escape();
            case '*' or '+' or '?':
                throw Invalid("a quantifier has nothing to repeat");
            case '{' when CountFollows():
                throw Invalid("a quantifier has nothing to repeat");
            default:
                return new ClassNode([Single(CodePoint())]);
        }
    }

    private bool CountFollows()
    {
        var start = _at;
        var is_ = TryCount(out _, out _);
        _at = start;
        return is_;
    }

    private RegexNode Group()
    {
        var open = _at++;
        bool? negative = null;
        if (More && Peek == '?')
        {
            _at++;
            var kind = More ? Peek : '\0';
            _at++;
            switch (kind)
            {
                case ':':
                    break;
                case '=':
                    negative = false;
                    break;
                case '!':
                    negative = true;
                    break;
                case 'P' when More && Peek == '<':
                    _at++;
                    Name();
                    break;
                case '<' when More && Peek is '=' or '!':
                    throw GrammarErrors.Unsupported(FormattableString.Invariant($"The regular expression looks behind at character {open}, which is not supported"), _pointer);
                case '<':
                    Name();
                    break;
                default:
                    throw GrammarErrors.Unsupported(FormattableString.Invariant($"The group at character {open} of the regular expression is of a kind that is not supported"), _pointer);
            }
        }

        var body = Choice();
        if (!More)
        {
            _at = open;
            throw Invalid("'(' has no ')'");
        }

        _at++;
        return negative is { } isNegative ? new LookNode(body, isNegative) : body;
    }

    private void Name()
    {
        while (More && Peek != '>')
        {
            _at++;
        }

        if (!More)
        {
            throw Invalid("the name of a group has no end");
        }

        _at++;
    }

    private RegexNode Escape()
    {
        if (!More)
        {
            throw Invalid("the expression ends in a backslash");
        }

        var c = Peek;
        if (c is 'b' or 'B')
        {
            throw GrammarErrors.Unsupported(FormattableString.Invariant($"The regular expression has a word boundary at character {_at - 1}, which is not supported"), _pointer);
        }

        if (c is >= '1' and <= '9' or 'k')
        {
            throw GrammarErrors.Unsupported(FormattableString.Invariant($"The regular expression has a back reference at character {_at - 1}, which is not supported"), _pointer);
        }

        if (c is 'A' or 'z' or 'Z' && _dialect == RegexDialect.Unicode)
        {
            _at++;
            return new AnchorNode(c == 'A');
        }

        return new ClassNode(EscapedSet() ?? [Single(EscapedCharacter())]);
    }

    /// <summary>Named sets after a backslash; null, with nothing read, where a character is meant.</summary>
    private IReadOnlyList<(int, int)>? EscapedSet()
    {
        var c = Peek;
        IReadOnlyList<(int, int)>? set = char.ToLowerInvariant(c) switch
        {
            'd' => _dialect == RegexDialect.Ecma ? [('0', '9')] : Named("nd"),
            'w' => _dialect == RegexDialect.Ecma ? [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')] : Named("word"),
            's' => _dialect == RegexDialect.Ecma
                ? [(9, 13), (' ', ' '), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)]
                : Named("space"),
            'p' => null,
            _ => null,
        };
        if (set is not null)
        {
            _at++;
            return char.IsAsciiLetterUpper(c) ? Invert(set) : set;
        }

        if (c is not ('p' or 'P'))
        {
            return null;
        }

        _at++;
        string name;
        if (More && Peek == '{')
        {
            var end = _text.IndexOf('}', _at);
            if (end < 0)
            {
                throw Invalid("the name of a class has no end");
            }

            name = _text[(_at + 1)..end];
            _at = end + 1;
        }
        else if (More)
        {
            name = _text[_at++].ToString();
        }
        else
        {
            throw Invalid("the name of a class is missing");
        }

        var equals = name.IndexOf('=', StringComparison.Ordinal);
        return c == 'P' ? Invert(Named(name[(equals + 1)..])) : Named(name[(equals + 1)..]);
    }

    private IReadOnlyList<(int, int)> Named(string name)
    {
        if (s_named.TryGetValue(name, out var known))
        {
            return known;
        }

        var bits = string.Equals(name, "word", StringComparison.Ordinal) ? CodePointBits.OfMask(CodePoints.Word) : RegexClasses.Find(name, inBrackets: true);
        if (bits is null)
        {
            throw GrammarErrors.Unsupported($"The regular expression names the class '{GrammarErrors.Shown(name)}', which is not known", _pointer);
        }

        List<(int, int)> ranges = [];
        for (var c = 0; c <= 0x10FFFF; c++)
        {
            if (!bits.Contains(c))
            {
                continue;
            }

            var first = c;
            while (c < 0x10FFFF && bits.Contains(c + 1))
            {
                c++;
            }

            ranges.Add((first, c));
        }

        return s_named.GetOrAdd(name, ranges);
    }

    private int EscapedCharacter()
    {
        var c = Peek;
        switch (c)
        {
            case 'n':
                _at++;
                return '\n';
            case 'r':
                _at++;
                return '\r';
            case 't':
                _at++;
                return '\t';
            case 'f':
                _at++;
                return '\f';
            case 'v':
                _at++;
                return '\v';
            case '0':
                _at++;
                return 0;
            case 'a' when _dialect == RegexDialect.Unicode:
                _at++;
                return 7;
            case 'x':
                _at++;
                return More && Peek == '{' ? Braced() : Hex(2);
            case 'u':
                _at++;
                return More && Peek == '{' ? Braced() : Utf16();
            case 'c' when _at + 1 < _text.Length && char.IsAsciiLetter(_text[_at + 1]):
                _at += 2;
                return _text[_at - 1] & 31;
            default:
                if (char.IsAsciiLetterOrDigit(c) && _dialect == RegexDialect.Unicode)
                {
                    throw Invalid("the escape is not known");
                }

                return CodePoint();
        }
    }

    private int Utf16()
    {
        var c = Hex(4);
        if (char.IsHighSurrogate((char)c) && _text.AsSpan(_at).StartsWith("\\u"))
        {
            var back = _at;
            _at += 2;
            var low = Hex(4);
            if (char.IsLowSurrogate((char)low))
            {
                return char.ConvertToUtf32((char)c, (char)low);
            }

            _at = back;
        }

        return c;
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            throw Invalid("hexadecimal digits are missing");
        }

        _at += digits;
        return value;
    }

    private int Braced()
    {
        var end = _text.IndexOf('}', _at);
        if (end < 0 || end - _at > 8 || !int.TryParse(_text.AsSpan(_at + 1, end - _at - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || value > 0x10FFFF)
        {
            throw Invalid("the number of a character is malformed");
        }

        _at = end + 1;
        return value;
    }

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

    private GrammarException Invalid(string what)
        => GrammarErrors.Invalid(FormattableString.Invariant($"The regular expression '{GrammarErrors.Shown(_text)}' is malformed at character {_at}: {what}"), _pointer);
}
