namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Parses the regular expressions of tokenizers with Oniguruma's (Ruby's) meaning. Back references, subroutine calls, conditionals and absent operators are refused.</summary>
internal sealed class RegexParser
{
    private const int MaxDepth = 64;
    private const int MaxLength = 64 * 1024;

    private readonly string _source;
    private readonly string _where;
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotAll;
    private bool _extended;

    private RegexParser(string source, string where)
    {
        _source = source;
        _where = where;
    }

    public static RegexNode Parse(string source, string where)
    {
        var parser = new RegexParser(source, where);
        if (source.Length > MaxLength)
        {
            throw parser.Invalid($"has {source.Length} characters; the limit is {MaxLength}");
        }

        var node = parser.Alternation();
        return parser._at == source.Length ? node : throw parser.Invalid("has an unmatched ')'");
    }

    private TokenizerFormatException Invalid(string what)
        => TokenizerErrors.Format("InvalidPattern", $"tokenizer.json: the pattern '{TokenizerErrors.Shown(_source)}' of {_where} {what} at character {_at}.");

    private bool Accept(char c)
    {
        if (_at < _source.Length && _source[_at] == c)
        {
            _at++;
            return true;
        }

        return false;
    }

    private bool AcceptText(string text)
    {
        if (string.CompareOrdinal(_source, _at, text, 0, text.Length) == 0)
        {
            _at += text.Length;
            return true;
        }

        return false;
    }

    private RegexNode Alternation()
    {
        if (++_depth > MaxDepth)
        {
            throw Invalid($"nests deeper than {MaxDepth}");
        }

        var (ignoreCase, dotAll, extended) = (_ignoreCase, _dotAll, _extended);
        var choices = new List<RegexNode> { Sequence() };
        while (Accept('|'))
        {
            choices.Add(Sequence());
        }

        (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
        _depth--;
        return choices.Count == 1 ? choices[0] : new AlternationNode(choices);
    }

    private SequenceNode Sequence()
    {
        var items = new List<RegexNode>();
        while (_at < _source.Length && _source[_at] is not ('|' or ')'))
        {
            if (_extended && SkipExtended())
            {
                continue;
            }

            var item = Atom();
            if (item is not null)
            {
                items.Add(Repeated(item));
            }
        }

        return new SequenceNode(items);
    }

    private bool SkipExtended()
    {
        if (char.IsWhiteSpace(_source[_at]))
        {
            _at++;
            return true;
        }

        if (_source[_at] != '#')
        {
            return false;
        }

        while (_at < _source.Length && _source[_at] != '\n')
        {
            _at++;
        }

        return true;
    }

    private RegexNode Repeated(RegexNode item)
    {
        var levels = 0;
        while (_at < _source.Length)
        {
            int min, max;
            var interval = false;
            if (Accept('*'))
            {
                (min, max) = (0, int.MaxValue);
            }
            else if (Accept('+'))
            {
                (min, max) = (1, int.MaxValue);
            }
            else if (Accept('?'))
            {
                (min, max) = (0, 1);
            }
            else if (_source[_at] == '{' && TryInterval(out min, out max))
            {
                interval = true;
            }
            else
            {
                return item;
            }

            // {n,m}+ is a repeat of a repeat here, not possessive.
            var kind = Accept('?') ? RepeatKind.Lazy : !interval && Accept('+') ? RepeatKind.Possessive : RepeatKind.Greedy;
            if (++levels > MaxDepth)
            {
                throw Invalid($"repeats a repeat more than {MaxDepth} times");
            }

            item = item is LookNode or AnchorNode && min == 0 ? new SequenceNode([]) : item is LookNode or AnchorNode ? item : new RepeatNode(item, min, max, kind);
        }

        return item;
    }

    private bool TryInterval(out int min, out int max)
    {
        const int Limit = 100_000;
        var start = _at++;
        var hasMin = TryNumber(out min);
        max = min;
        if (Accept(','))
        {
            var hasMax = TryNumber(out max);
            if (!hasMin && !hasMax)
            {
                _at = start;
                return false;
            }

            max = hasMax ? max : int.MaxValue;
        }
        else if (!hasMin)
        {
            _at = start;
            return false;
        }

        if (!Accept('}'))
        {
            _at = start;
            return false;
        }

        if (min > Limit || (max > Limit && max != int.MaxValue))
        {
            throw Invalid($"repeats more than {Limit} times");
        }

        if (min > max)
        {
            throw Invalid($"repeats at least {min} and at most {max} times");
        }

        return true;
    }

    private bool TryNumber(out int number)
    {
        var start = _at;
        number = 0;
        while (_at < _source.Length && char.IsAsciiDigit(_source[_at]))
        {
            number = number > 100_000_000 ? number : (number * 10) + (_source[_at] - '0');
            _at++;
        }

        return _at > start;
    }

    private RegexNode? Atom()
    {
        var codePoint = CodePoints.At(_source, _at, out var length);
        _at += length;
        switch (codePoint)
        {
            case '(':
                return Group();
            case '[':
                return new SetNode(Class());
            case '.':
                var any = CodePointBits.OfMask(uint.MaxValue);
                if (!_dotAll)
                {
                    any.Invert();
                    any.Add('\n');
                    any.Invert();
                }

                return new SetNode(any);
            case '^':
                return new AnchorNode(AnchorKind.LineStart);
            case '$':
                return new AnchorNode(AnchorKind.LineEnd);
            case '\\':
                return Escape();
            case '*' or '+' or '?':
                throw Invalid("repeats nothing");
            default:
                return Literal(codePoint);
        }
    }

    private SetNode Literal(int codePoint)
    {
        var bits = new CodePointBits();
        bits.Add(codePoint);
        if (_ignoreCase)
        {
            bits.CloseOverCase();
        }

        return new SetNode(bits);
    }

    private RegexNode? Group()
    {
        RegexNode node;
        if (!Accept('?'))
        {
            node = Alternation();
        }
        else if (Accept(':'))
        {
            node = Alternation();
        }
        else if (Accept('='))
        {
            node = new LookNode(Alternation(), Behind: false, Negative: false);
        }
        else if (Accept('!'))
        {
            node = new LookNode(Alternation(), Behind: false, Negative: true);
        }
        else if (AcceptText("<="))
        {
            node = new LookNode(Alternation(), Behind: true, Negative: false);
        }
        else if (AcceptText("<!"))
        {
            node = new LookNode(Alternation(), Behind: true, Negative: true);
        }
        else if (Accept('>'))
        {
            node = new AtomicNode(Alternation());
        }
        else if (Accept('#'))
        {
            var end = _source.IndexOf(')', _at);
            _at = end < 0 ? throw Invalid("has an unfinished comment") : end + 1;
            return null;
        }
        else if (Accept('<') || AcceptText("P<"))
        {
            var end = _source.IndexOf('>', _at);
            _at = end < 0 ? throw Invalid("has an unfinished group name") : end + 1;
            node = Alternation();
        }
        else
        {
            return Options();
        }

        return Accept(')') ? node : throw Invalid("has an unmatched '('");
    }

    /// <summary><c>(?i)</c> to the end of the group around it, or <c>(?i:...)</c>.</summary>
    private RegexNode Options()
    {
        var (ignoreCase, dotAll, extended) = (_ignoreCase, _dotAll, _extended);
        var on = true;
        while (_at < _source.Length && _source[_at] is not (':' or ')'))
        {
            switch (_source[_at++])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm':
                    _dotAll = on;
                    break;
                case 'x':
                    _extended = on;
                    break;
                default:
                    throw Invalid("has a group of an unknown kind");
            }
        }

        if (Accept(')'))
        {
            // To the end of this group; it is an alternation of its own there.
            var rest = Alternation();
            (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
            return rest;
        }

        if (!Accept(':'))
        {
            throw Invalid("has an unfinished group");
        }

        var node = Alternation();
        (_ignoreCase, _dotAll, _extended) = (ignoreCase, dotAll, extended);
        return Accept(')') ? node : throw Invalid("has an unmatched '('");
    }

    private RegexNode Escape()
    {
        if (_at >= _source.Length)
        {
            throw Invalid("ends with a backslash");
        }

        switch (_source[_at])
        {
            case 'A':
                _at++;
                return new AnchorNode(AnchorKind.TextStart);
            case 'z':
                _at++;
                return new AnchorNode(AnchorKind.TextEnd);
            case 'Z':
                _at++;
                return new AnchorNode(AnchorKind.TextEndOrLastLine);
            case 'G':
                _at++;
                return new AnchorNode(AnchorKind.SearchStart);
            case 'b':
                _at++;
                return new AnchorNode(AnchorKind.WordBoundary);
            case 'B':
                _at++;
                return new AnchorNode(AnchorKind.NotWordBoundary);
            case 'R':
                _at++;
                return new AtomicNode(new AlternationNode([new SequenceNode([Exactly('\r'), Exactly('\n')]), new SetNode(LineBreaks())]));
            default:
                break;
        }

        var bits = EscapedClass(inBrackets: false);
        if (bits is not null)
        {
            return new SetNode(bits);
        }

        if (_source[_at] is (>= '1' and <= '9') or 'k' or 'g' or 'K' or 'X' or 'y' or 'Y')
        {
            throw Invalid("uses a back reference, a subroutine or a text segment, which are not supported,");
        }

        return Literal(EscapedCharacter());
    }

    private static SetNode Exactly(int codePoint)
    {
        var bits = new CodePointBits();
        bits.Add(codePoint);
        return new SetNode(bits);
    }

    private static CodePointBits LineBreaks()
    {
        var bits = new CodePointBits();
        bits.AddRange('\n', '\r');
        bits.Add(0x85);
        bits.AddRange(0x2028, 0x2029);
        return bits;
    }

    /// <summary>A class escape such as <c>\s</c> or <c>\p{L}</c>, or null and nothing read.</summary>
    private CodePointBits? EscapedClass(bool inBrackets)
    {
        CodePointBits? bits = _source[_at] switch
        {
            's' or 'S' => RegexClasses.Space,
            'd' or 'D' => RegexClasses.Digit,
            'w' or 'W' => RegexClasses.Word(inBrackets),
            'h' or 'H' => RegexClasses.HexDigit,
            _ => null,
        };
        if (bits is not null)
        {
            if (char.IsAsciiLetterUpper(_source[_at++]))
            {
                bits.Invert();
            }

            return bits;
        }

        if (_source[_at] is not ('p' or 'P') || _at + 1 >= _source.Length || _source[_at + 1] != '{')
        {
            return null;
        }

        var negative = _source[_at] == 'P';
        _at += 2;
        if (Accept('^'))
        {
            negative = !negative;
        }

        var end = _source.IndexOf('}', _at);
        if (end < 0)
        {
            throw Invalid("has an unfinished property name");
        }

        var name = _source[_at..end];
        bits = RegexClasses.Find(name, inBrackets) ?? throw Invalid($"names the unknown property '{TokenizerErrors.Shown(name)}'");
        _at = end + 1;
        if (negative)
        {
            bits.Invert();
        }

        return bits;
    }

    private int EscapedCharacter()
    {
        var codePoint = CodePoints.At(_source, _at, out var length);
        _at += length;
        return codePoint switch
        {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'f' => '\f',
            'v' => '\v',
            'a' => '\a',
            'e' => 0x1B,
            '0' => Octal(),
            'x' => Accept('{') ? Hex(8, '}') : Hex(2, null),
            'u' => Hex(4, null),
            _ => codePoint,
        };
    }

    private int Octal()
    {
        var value = 0;
        for (var i = 0; i < 2 && _at < _source.Length && _source[_at] is >= '0' and <= '7'; i++)
        {
            value = (value * 8) + (_source[_at++] - '0');
        }

        return value;
    }

    private int Hex(int digits, char? end)
    {
        long value = 0;
        var count = 0;
        while (count < digits && _at < _source.Length && char.IsAsciiHexDigit(_source[_at]))
        {
            value = (value * 16) + Convert.ToInt32(_source[_at++].ToString(), 16);
            count++;
        }

        var closed = end is null ? count == digits || (digits == 2 && count > 0) : Accept(end.Value) && count > 0;
        return closed && value < CodePoints.Limit ? (int)value : throw Invalid("has an invalid hexadecimal character");
    }

    /// <summary>A class after its opening bracket, with nested classes and intersections.</summary>
    private CodePointBits Class()
    {
        if (++_depth > MaxDepth)
        {
            throw Invalid($"nests deeper than {MaxDepth}");
        }

        var negative = Accept('^');
        var bits = new CodePointBits();
        CodePointBits? left = null;
        for (var first = true; ; first = false)
        {
            if (_at >= _source.Length)
            {
                throw Invalid("has an unmatched '['");
            }

            if (!first && Accept(']'))
            {
                break;
            }

            if (AcceptText("&&"))
            {
                left = Intersection(left, bits);
                bits = new CodePointBits();
                continue;
            }

            ClassItem(bits);
        }

        bits = Intersection(left, bits);
        if (_ignoreCase)
        {
            bits.CloseOverCase();
        }

        if (negative)
        {
            bits.Invert();
        }

        _depth--;
        return bits;
    }

    private static CodePointBits Intersection(CodePointBits? left, CodePointBits right)
    {
        if (left is not null)
        {
            right.IntersectWith(left);
        }

        return right;
    }

    private void ClassItem(CodePointBits bits)
    {
        if (AcceptText("[:"))
        {
            var negative = Accept('^');
            var end = _source.IndexOf(":]", _at, StringComparison.Ordinal);
            var name = end < 0 ? throw Invalid("has an unfinished class name") : _source[_at..end];
            var named = RegexClasses.FindPosix(name) ?? throw Invalid($"names the unknown class '{TokenizerErrors.Shown(name)}'");
            _at = end + 2;
            if (negative)
            {
                named.Invert();
            }

            bits.UnionWith(named);
            return;
        }

        if (Accept('['))
        {
            bits.UnionWith(Class());
            return;
        }

        if (!TryClassCharacter(bits, out var first))
        {
            return;
        }

        // A hyphen is a range only between two characters.
        if (_at + 1 < _source.Length && _source[_at] == '-' && _source[_at + 1] is not (']' or '['))
        {
            var hyphen = _at++;
            var more = new CodePointBits();
            if (TryClassCharacter(more, out var last))
            {
                if (last < first)
                {
                    _at = hyphen;
                    throw Invalid("has a range that runs backwards");
                }

                bits.AddRange(first, last);
                return;
            }

            bits.Add('-');
            bits.UnionWith(more);
        }

        bits.Add(first);
    }

    /// <summary>A single character, or false after adding a class.</summary>
    private bool TryClassCharacter(CodePointBits bits, out int codePoint)
    {
        codePoint = CodePoints.At(_source, _at, out var length);
        _at += length;
        if (codePoint != '\\')
        {
            return true;
        }

        if (_at >= _source.Length)
        {
            throw Invalid("ends with a backslash");
        }

        if (EscapedClass(inBrackets: true) is { } named)
        {
            bits.UnionWith(named);
            return false;
        }

        if (Accept('b'))
        {
            codePoint = '\b';
            return true;
        }

        codePoint = EscapedCharacter();
        return true;
    }
}
