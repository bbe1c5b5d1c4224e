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
internal sealed partial class RegexSyntax
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

    private GrammarException Invalid(string what)
        => GrammarErrors.Invalid(FormattableString.Invariant($"The regular expression '{GrammarErrors.Shown(_text)}' is malformed at character {_at}: {what}"), _pointer);
}
