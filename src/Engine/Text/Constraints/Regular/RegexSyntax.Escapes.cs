using System.Globalization;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>What a backslash begins.</content>
internal sealed partial class RegexSyntax
{
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
}
