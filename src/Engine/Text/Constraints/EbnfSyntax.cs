using System.Text;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Reads small grammars: rules <c>name ::= body</c>, one a line or more, of which <c>root</c> is the whole. In a body stand "literal" or 'literal' (escapes \n \t \r \" \' \\), /regular expression/, names of rules,
/// groups in parentheses, alternatives with |, and ? * + behind a piece. # begins a remark. A rule must read something before it comes back to itself.</summary>
internal sealed class EbnfSyntax
{
    private const int MaxLength = 1 << 20;
    private const int MaxDepth = 128;

    private readonly string _text;
    private readonly Dictionary<string, RulePart> _rules = new(StringComparer.Ordinal);
    private int _at;
    private int _depth;

    private EbnfSyntax(string text) => _text = text;

    /// <exception cref="GrammarException">The grammar is malformed, too large, or calls itself without reading anything.</exception>
    public static GrammarPart Parse(string text)
    {
        if (text.Length > MaxLength)
        {
            throw GrammarErrors.Limit(FormattableString.Invariant($"The grammar has {text.Length} characters; at most {MaxLength} are allowed"));
        }

        var syntax = new EbnfSyntax(text);
        syntax.Space();
        while (syntax._at < text.Length)
        {
            var rule = syntax.Rule(syntax.Name() ?? throw syntax.Invalid("the name of a rule is missing"));
            if (rule.Body is not null)
            {
                throw syntax.Invalid($"the rule '{GrammarErrors.Shown(rule.Name)}' stands twice");
            }

            syntax.Expect("::=");
            rule.Body = syntax.Choice();
        }

        if (syntax._rules.Values.FirstOrDefault(r => r.Body is null) is { } missing)
        {
            throw GrammarErrors.Invalid($"The grammar has no rule '{GrammarErrors.Shown(missing.Name)}'");
        }

        return syntax._rules.GetValueOrDefault("root") ?? throw GrammarErrors.Invalid("The grammar has no rule 'root'");
    }

    private RulePart Rule(string name) => _rules.TryGetValue(name, out var rule) ? rule : _rules[name] = new RulePart(name);

    private GrammarPart Choice()
    {
        if (++_depth > MaxDepth)
        {
            throw GrammarErrors.Limit($"Groups of the grammar are nested more than {MaxDepth} deep");
        }

        List<GrammarPart> parts = [Sequence()];
        while (TryTake('|'))
        {
            parts.Add(Sequence());
        }

        _depth--;
        return parts.Count == 1 ? parts[0] : new ChoicePart(parts);
    }

    private GrammarPart Sequence()
    {
        List<GrammarPart> parts = [];
        while (Piece() is { } piece)
        {
            parts.Add(TryTake('?') ? new RepeatPart(piece, 0, 1) : TryTake('*') ? new RepeatPart(piece, 0, null) : TryTake('+') ? new RepeatPart(piece, 1, null) : piece);
        }

        return parts.Count == 1 ? parts[0] : new SequencePart(parts);
    }

    private GrammarPart? Piece()
    {
        if (_at >= _text.Length)
        {
            return null;
        }

        var c = _text[_at];
        switch (c)
        {
            case '"' or '\'':
                return new LiteralPart(Quoted(c));
            case '/':
                return new RegexPart(Expression());
            case '(':
                _at++;
                Space();
                var group = Choice();
                return TryTake(')') ? group : throw Invalid("'(' has no ')'");
        }

        var start = _at;
        var name = Name();
        if (name is null)
        {
            return null;
        }

        if (_text.AsSpan(_at).StartsWith("::="))
        {
            // The next rule begins.
            _at = start;
            return null;
        }

        return Rule(name);
    }

    private string Quoted(char quote)
    {
        var text = new StringBuilder();
        for (_at++; _at < _text.Length && _text[_at] != quote; _at++)
        {
            if (_text[_at] != '\\' || _at + 1 == _text.Length)
            {
                text.Append(_text[_at]);
                continue;
            }

            text.Append(_text[++_at] switch { 'n' => '\n', 't' => '\t', 'r' => '\r', var c and ('"' or '\'' or '\\') => c, _ => throw Invalid("the escape is not known") });
        }

        Expect(quote.ToString());
        return text.ToString();
    }

    private string Expression()
    {
        var start = ++_at;
        while (_at < _text.Length && _text[_at] is not ('/' or '\n'))
        {
            _at += _text[_at] == '\\' ? 2 : 1;
        }

        var end = Math.Min(_at, _text.Length);
        _at = end;
        Expect("/");
        return _text[start..end];
    }

    private string? Name()
    {
        var start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '_' or '-'))
        {
            _at++;
        }

        var name = _text[start.._at];
        Space();
        return name.Length == 0 ? null : name;
    }

    private bool TryTake(char c)
    {
        if (_at >= _text.Length || _text[_at] != c)
        {
            return false;
        }

        _at++;
        Space();
        return true;
    }

    private void Expect(string text)
    {
        if (!_text.AsSpan(_at).StartsWith(text))
        {
            throw Invalid($"'{text}' is missing");
        }

        _at += text.Length;
        Space();
    }

    private void Space()
    {
        while (_at < _text.Length && (char.IsWhiteSpace(_text[_at]) || _text[_at] == '#'))
        {
            if (_text[_at] == '#')
            {
                while (_at < _text.Length && _text[_at] != '\n')
                {
                    _at++;
                }
            }
            else
            {
                _at++;
            }
        }
    }

    private GrammarException Invalid(string what) => GrammarErrors.Invalid(FormattableString.Invariant($"The grammar is malformed at character {_at}: {what}"));
}
