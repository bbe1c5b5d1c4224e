using System.Globalization;
using System.Text;

namespace KvPrefetch.Engine.Text.Templates;

internal enum TokenKind
{
    End,
    Data,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
}

/// <summary>A token; its text is the value of data, names and strings, and the operator itself.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, long Integer = 0, double Float = 0)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsOperator(string sign) => Kind == TokenKind.Operator && Text == sign;

    public string Describe() => Kind switch
    {
        TokenKind.End => "end of template",
        TokenKind.Data => "template data",
        TokenKind.VariableBegin => "begin of print statement",
        TokenKind.VariableEnd => "end of print statement",
        TokenKind.BlockBegin => "begin of statement block",
        TokenKind.BlockEnd => "end of statement block",
        _ => Shorten.Text(Text),
    };
}

/// <summary>Cuts a template into tokens, one by one, with Jinja's whitespace rules for trim_blocks and lstrip_blocks.</summary>
internal sealed class Lexer
{
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=",
        "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    private readonly string source;
    private readonly Stack<char> braces = new();
    private readonly Queue<Token> pending = new();
    private Mode mode;
    private int position;
    private int line = 1;

    public Lexer(string source)
    {
        // Every line break is \n for Jinja, and the last one does not count.
        this.source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (this.source.EndsWith('\n'))
        {
            this.source = this.source[..^1];
        }
    }

    private enum Mode
    {
        Data,
        Block,
        Variable,
    }

    public Token Next()
    {
        while (true)
        {
            if (pending.TryDequeue(out var waiting))
            {
                return waiting;
            }

            if ((mode == Mode.Data ? ReadData() : ReadCode()) is { } token)
            {
                return token;
            }
        }
    }

    private static bool IsSpace(char c) => PythonText.IsSpace(c);

    // Data up to the next tag, or that tag; null where there was nothing to give (a comment, an empty piece).
    private Token? ReadData()
    {
        if (position >= source.Length)
        {
            return new Token(TokenKind.End, "", line);
        }

        var tag = NextTag(position);
        if (tag < 0)
        {
            var rest = source[position..];
            return Take(TokenKind.Data, rest, rest);
        }

        var startLine = line;
        var kind = source[tag + 1];
        var after = tag + 2;
        var raw = kind == '%' ? RawBegin(after) : -1;
        var sign = after < source.Length && source[after] is '-' or '+' ? source[after] : '\0';
        var data = StripBefore(position, tag, sign, isVariable: kind == '{');
        line += CountLines(position, tag);
        position = after + (sign == '\0' ? 0 : 1);

        if (raw >= 0)
        {
            line += CountLines(after, raw);
            position = raw;
            pending.Enqueue(ReadRaw());
        }
        else if (kind == '#')
        {
            SkipComment();
        }
        else
        {
            mode = kind == '%' ? Mode.Block : Mode.Variable;
            braces.Clear();
            pending.Enqueue(new Token(kind == '%' ? TokenKind.BlockBegin : TokenKind.VariableBegin, "", line));
        }

        return data.Length > 0 ? new Token(TokenKind.Data, data, startLine) : null;
    }

    private int NextTag(int from)
    {
        while (true)
        {
            var at = source.IndexOf('{', from);
            if (at < 0 || at + 1 >= source.Length)
            {
                return -1;
            }

            if (source[at + 1] is '%' or '{' or '#')
            {
                return at;
            }

            from = at + 1;
        }
    }

    /// <summary>Text before a tag, less what a minus sign or lstrip_blocks takes away.</summary>
    private string StripBefore(int start, int end, char sign, bool isVariable)
    {
        var text = source.AsSpan(start, end - start);
        if (sign == '-')
        {
            var length = text.Length;
            while (length > 0 && IsSpace(text[length - 1]))
            {
                length--;
            }

            return text[..length].ToString();
        }

        if (sign != '+' && !isVariable)
        {
            var lineStart = text.LastIndexOf('\n') + 1;
            if (lineStart > 0 || start == 0 || source[start - 1] == '\n')
            {
                var blank = true;
                foreach (var c in text[lineStart..])
                {
                    blank &= IsSpace(c);
                }

                if (blank)
                {
                    return text[..lineStart].ToString();
                }
            }
        }

        return text.ToString();
    }

    // Position after "{% raw %}" whose "{%" ends at from, or -1 where it is another block.
    private int RawBegin(int from)
    {
        var at = SkipSpace(SkipSign(from));
        if (!source.AsSpan(at).StartsWith("raw", StringComparison.Ordinal))
        {
            return -1;
        }

        at = SkipSpace(at + 3);
        var rest = source.AsSpan(at);
        if (rest.StartsWith("-%}", StringComparison.Ordinal))
        {
            return SkipSpace(at + 3);
        }

        return rest.StartsWith("%}", StringComparison.Ordinal) ? at + 2 : -1;
    }

    private Token ReadRaw()
    {
        var start = position;
        for (var at = position; ; at++)
        {
            at = at < source.Length ? source.IndexOf("{%", at, StringComparison.Ordinal) : -1;
            if (at < 0)
            {
                throw Fail("Missing end of raw directive");
            }

            var name = SkipSpace(SkipSign(at + 2));
            if (!source.AsSpan(name).StartsWith("endraw", StringComparison.Ordinal))
            {
                continue;
            }

            var end = BlockEnd(SkipSpace(name + 6));
            if (end < 0)
            {
                continue;
            }

            var sign = source[at + 2] is '-' or '+' ? source[at + 2] : '\0';
            var data = new Token(TokenKind.Data, StripBefore(start, at, sign, isVariable: false), line);
            line += CountLines(start, end);
            position = end;
            return data;
        }
    }

    private void SkipComment()
    {
        var end = source.IndexOf("#}", position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Fail("Missing end of comment tag");
        }

        var after = end + 2;
        var sign = end > position ? source[end - 1] : '\0';
        if (sign == '-')
        {
            after = SkipSpace(after);
        }
        else if (sign != '+' && after < source.Length && source[after] == '\n')
        {
            after++;
        }

        line += CountLines(position, after);
        position = after;
    }

    // Position after "%}", "-%}" or "+%}" at this place with the whitespace it takes along; -1 where there is none.
    private int BlockEnd(int at)
    {
        var rest = source.AsSpan(at);
        if (rest.StartsWith("-%}", StringComparison.Ordinal))
        {
            return SkipSpace(at + 3);
        }

        if (rest.StartsWith("+%}", StringComparison.Ordinal))
        {
            return at + 3;
        }

        if (!rest.StartsWith("%}", StringComparison.Ordinal))
        {
            return -1;
        }

        return at + 2 < source.Length && source[at + 2] == '\n' ? at + 3 : at + 2;
    }

    private int VariableEnd(int at)
    {
        var rest = source.AsSpan(at);
        if (rest.StartsWith("-}}", StringComparison.Ordinal))
        {
            return SkipSpace(at + 3);
        }

        return rest.StartsWith("}}", StringComparison.Ordinal) ? at + 2 : -1;
    }

    private Token? ReadCode()
    {
        if (position >= source.Length)
        {
            return new Token(TokenKind.End, "", line);
        }

        if (braces.Count == 0)
        {
            var end = mode == Mode.Block ? BlockEnd(position) : VariableEnd(position);
            if (end >= 0)
            {
                var token = new Token(mode == Mode.Block ? TokenKind.BlockEnd : TokenKind.VariableEnd, "", line);
                line += CountLines(position, end);
                position = end;
                mode = Mode.Data;
                return token;
            }
        }

        var c = source[position];
        if (IsSpace(c))
        {
            var end = SkipSpace(position);
            line += CountLines(position, end);
            position = end;
            return null;
        }

        if (char.IsAsciiDigit(c))
        {
            return ReadNumber();
        }

        if (IsWord(c))
        {
            return ReadName();
        }

        return c is '\'' or '"' ? ReadString(c) : ReadOperator();
    }

    private Token ReadOperator()
    {
        foreach (var sign in Operators)
        {
            if (!source.AsSpan(position).StartsWith(sign, StringComparison.Ordinal))
            {
                continue;
            }

            switch (sign)
            {
                case "(":
                    braces.Push(')');
                    break;
                case "[":
                    braces.Push(']');
                    break;
                case "{":
                    braces.Push('}');
                    break;
                case ")" or "]" or "}":
                    if (!braces.TryPop(out var expected))
                    {
                        throw Fail($"unexpected '{sign}'");
                    }

                    if (expected != sign[0])
                    {
                        throw Fail($"unexpected '{sign}', expected '{expected}'");
                    }

                    break;
            }

            return Take(TokenKind.Operator, sign, sign);
        }

        throw Fail($"unexpected char U+{(int)source[position]:X4}");
    }

    private Token ReadName()
    {
        var end = position;
        while (end < source.Length && IsWord(source[end]))
        {
            end++;
        }

        var name = source[position..end];
        if (char.GetUnicodeCategory(name[0]) is UnicodeCategory.OtherNumber or UnicodeCategory.DecimalDigitNumber)
        {
            throw Fail("Invalid character in identifier");
        }

        return Take(TokenKind.Name, name, name);
    }

    private Token ReadNumber()
    {
        var end = Digits(position);
        var isFloat = false;
        if (position == 0 || source[position - 1] != '.')
        {
            var at = end;
            if (at + 1 < source.Length && source[at] == '.' && char.IsAsciiDigit(source[at + 1]))
            {
                at = Digits(at + 1);
                isFloat = true;
            }

            var exponent = at;
            if (exponent < source.Length && source[exponent] is 'e' or 'E')
            {
                exponent++;
                exponent += exponent < source.Length && source[exponent] is '+' or '-' ? 1 : 0;
                if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
                {
                    at = Digits(exponent);
                    isFloat = true;
                }
            }

            end = isFloat ? at : end;
        }

        if (isFloat)
        {
            var raw = source[position..end];
            var value = double.Parse(raw.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture);
            return Take(TokenKind.Float, raw, raw) with { Float = value };
        }

        return ReadInteger();
    }

    private Token ReadInteger()
    {
        var radix = 10;
        var start = position;
        if (source[position] == '0' && position + 2 < source.Length + 1)
        {
            radix = position + 1 < source.Length ? char.ToLowerInvariant(source[position + 1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 } : 10;
            if (radix != 10)
            {
                start = position + 2;
            }
        }

        var zerosOnly = radix == 10 && source[position] == '0';
        var end = start;
        Int128 value = 0;
        for (; end < source.Length; end++)
        {
            var c = source[end];
            if (c == '_' && end + 1 < source.Length && DigitValue(source[end + 1]) < radix && (end > start || radix != 10))
            {
                continue;
            }

            var digit = DigitValue(c);
            if (digit >= radix || (zerosOnly && digit != 0))
            {
                break;
            }

            value = (value * radix) + digit;
            if (value > long.MaxValue)
            {
                throw Fail("integer literal beyond 64 bits");
            }
        }

        if (end == start)
        {
            // "0x" without digits: the zero alone is the number.
            end = position + 1;
        }

        var text = source[position..end];
        return Take(TokenKind.Integer, text, text) with { Integer = (long)value };
    }

    private static int DigitValue(char c) => char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : int.MaxValue;

    private int Digits(int at)
    {
        while (at < source.Length && (char.IsAsciiDigit(source[at]) || (source[at] == '_' && at + 1 < source.Length && char.IsAsciiDigit(source[at + 1]))))
        {
            at++;
        }

        return at;
    }

    private Token ReadString(char quote)
    {
        var end = position + 1;
        while (true)
        {
            if (end >= source.Length)
            {
                throw Fail($"unexpected char '{quote}': the string has no end");
            }

            if (source[end] == quote)
            {
                break;
            }

            end += source[end] == '\\' ? 2 : 1;
        }

        var body = source[(position + 1)..end];
        var value = body.Contains('\\', StringComparison.Ordinal) ? Unescape(body) : body;
        return Take(TokenKind.String, value, source.AsSpan(position, end + 1 - position));
    }

    // Python's unicode-escape, applied after everything beyond ASCII was itself written as an escape.
    private string Unescape(string body)
    {
        var text = new StringBuilder(body.Length);
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] != '\\')
            {
                text.Append(body[i]);
                continue;
            }

            var c = body[++i];
            switch (c)
            {
                case '\n':
                    break;
                case '\\' or '\'' or '"':
                    text.Append(c);
                    break;
                case 'a':
                    text.Append('\a');
                    break;
                case 'b':
                    text.Append('\b');
                    break;
                case 'f':
                    text.Append('\f');
                    break;
                case 'n':
                    text.Append('\n');
                    break;
                case 'r':
                    text.Append('\r');
                    break;
                case 't':
                    text.Append('\t');
                    break;
                case 'v':
                    text.Append('\v');
                    break;
                case >= '0' and <= '7':
                    var octal = 0;
                    var digits = 0;
                    for (; digits < 3 && i + digits < body.Length && body[i + digits] is >= '0' and <= '7'; digits++)
                    {
                        octal = (octal * 8) + (body[i + digits] - '0');
                    }

                    text.Append((char)octal);
                    i += digits - 1;
                    break;
                case 'x':
                    i = Hexadecimal(body, i, 2, text);
                    break;
                case 'u':
                    i = Hexadecimal(body, i, 4, text);
                    break;
                case 'U':
                    i = Hexadecimal(body, i, 8, text);
                    break;
                case 'N':
                    throw Fail("character names (\\N) are not supported in strings");
                case < '\u0080':
                    text.Append('\\').Append(c);
                    break;
                default:
                    // The backslash meets the one that begins the character's own escape.
                    var pair = char.IsHighSurrogate(c) && i + 1 < body.Length && char.IsLowSurrogate(body[i + 1]);
                    var code = pair ? char.ConvertToUtf32(c, body[++i]) : c;
                    text.Append('\\').Append(code switch { < 0x100 => $"x{code:x2}", < 0x10000 => $"u{code:x4}", _ => $"U{code:x8}" });
                    break;
            }
        }

        return text.ToString();
    }

    private int Hexadecimal(string body, int at, int digits, StringBuilder text)
    {
        if (at + digits >= body.Length
            || !uint.TryParse(body.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) || code > 0x10FFFF)
        {
            throw Fail($"truncated or illegal \\{body[at]} escape in a string");
        }

        if (code < 0x10000)
        {
            text.Append((char)code);
        }
        else
        {
            text.Append(char.ConvertFromUtf32((int)code));
        }

        return at + digits;
    }

    private Token Take(TokenKind kind, string value, ReadOnlySpan<char> raw)
    {
        var token = new Token(kind, value, line);
        line += raw.Count('\n');
        position += raw.Length;
        return token;
    }

    private static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_' || char.GetUnicodeCategory(c) is UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber
        or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;

    private int SkipSign(int at) => at < source.Length && source[at] is '-' or '+' ? at + 1 : at;

    private int SkipSpace(int at)
    {
        while (at < source.Length && IsSpace(source[at]))
        {
            at++;
        }

        return Math.Min(at, source.Length);
    }

    private int CountLines(int from, int to) => source.AsSpan(from, to - from).Count('\n');

    private ChatTemplateException Fail(string message) => new(ChatTemplateError.Syntax, $"Chat template, line {line}: {message}", line);
}
