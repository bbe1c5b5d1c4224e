namespace KvPrefetch.Engine.Text.Templates;

internal sealed partial class Parser
{
    private Expression ParseExpression(bool withConditional = true)
    {
        Deeper();
        var expression = withConditional ? ParseConditional() : ParseOr();
        depth--;
        return expression;
    }

    private Expression ParseConditional()
    {
        var line = current.Line;
        var expression = ParseOr();
        for (var conditions = 1; SkipName("if"); conditions++)
        {
            if (conditions > Budget.ParseDepth)
            {
                throw Limit($"inline conditions side by side; the limit is {Budget.ParseDepth}");
            }

            var test = ParseOr();
            var otherwise = SkipName("else") ? ParseExpression() : null;
            expression = Count(new ConditionalExpression(line, test, expression, otherwise));
            line = current.Line;
        }

        return expression;
    }

    private Expression ParseOr() => ParseLogical("or", isAnd: false, ParseAnd);

    private Expression ParseAnd() => ParseLogical("and", isAnd: true, ParseNot);

    private Expression ParseLogical(string word, bool isAnd, Func<Expression> parse)
    {
        var line = current.Line;
        var first = parse();
        if (!current.IsName(word))
        {
            return first;
        }

        var operands = new List<Expression> { first };
        while (SkipName(word))
        {
            operands.Add(Count(parse()));
        }

        return Count(new LogicalExpression(line, isAnd, [.. operands]));
    }

    private Expression ParseNot()
    {
        if (!current.IsName("not"))
        {
            return ParseCompare();
        }

        Deeper();
        var line = Advance().Line;
        var expression = Count(new NotExpression(line, ParseNot()));
        depth--;
        return expression;
    }

    private Expression ParseCompare()
    {
        var line = current.Line;
        var first = ParseSum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            string sign;
            if (current.Kind == TokenKind.Operator && current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                sign = Advance().Text;
            }
            else if (SkipName("in"))
            {
                sign = "in";
            }
            else if (current.IsName("not") && next.IsName("in"))
            {
                Advance();
                Advance();
                sign = "not in";
            }
            else
            {
                break;
            }

            rest.Add((sign, Count(ParseSum())));
        }

        return rest.Count == 0 ? first : Count(new CompareExpression(line, first, [.. rest]));
    }

    private Expression ParseSum() => ParseArithmetic(ParseConcat, "+", "-");

    private Expression ParseConcat()
    {
        var line = current.Line;
        var first = ParseProduct();
        if (!current.IsOperator("~"))
        {
            return first;
        }

        var operands = new List<Expression> { first };
        while (SkipOperator("~"))
        {
            operands.Add(Count(ParseProduct()));
        }

        return Count(new ConcatExpression(line, [.. operands]));
    }

    private Expression ParseProduct() => ParseArithmetic(ParsePower, "*", "/", "//", "%");

    private Expression ParsePower() => ParseArithmetic(() => ParseUnary(withFilters: true), "**");

    private Expression ParseArithmetic(Func<Expression> parse, params ReadOnlySpan<string> signs)
    {
        var line = current.Line;
        var first = parse();
        if (current.Kind != TokenKind.Operator || !signs.Contains(current.Text))
        {
            return first;
        }

        var rest = new List<(string, Expression)>();
        while (current.Kind == TokenKind.Operator && signs.Contains(current.Text))
        {
            var sign = Advance().Text;
            rest.Add((sign, Count(parse())));
        }

        return Count(new ArithmeticExpression(line, first, [.. rest]));
    }

    private Expression ParseUnary(bool withFilters)
    {
        Expression expression;
        var line = current.Line;
        if (current.IsOperator("-") || current.IsOperator("+"))
        {
            Deeper();
            var negative = Advance().Text == "-";
            expression = Count(new SignExpression(line, negative, ParseUnary(withFilters: false)));
            depth--;
        }
        else
        {
            expression = ParsePrimary();
        }

        var links = new List<Link>();
        ParsePostfix(links);
        if (withFilters)
        {
            ParseFiltersAndTests(links);
        }

        return links.Count == 0 ? expression : new ChainExpression(line, expression, [.. links]);
    }

    private Expression ParsePrimary()
    {
        var token = current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                Advance();
                return Count<Expression>(token.Text switch
                {
                    "true" or "True" => new ConstantExpression(token.Line, BoolValue.True),
                    "false" or "False" => new ConstantExpression(token.Line, BoolValue.False),
                    "none" or "None" => new ConstantExpression(token.Line, NoneValue.Instance),
                    _ => ReadName(token),
                });
            case TokenKind.String:
                return ParseString(token.Line);
            case TokenKind.Integer:
                Advance();
                return Count(new ConstantExpression(token.Line, IntValue.Of(token.Integer)));
            case TokenKind.Float:
                Advance();
                return Count(new ConstantExpression(token.Line, new FloatValue(token.Float)));
            case TokenKind.Operator when token.Text == "(":
                Advance();
                var inner = ParseTuple(explicitParentheses: true);
                ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return ParseList();
            case TokenKind.Operator when token.Text == "{":
                return ParseDict();
            default:
                throw Fail($"unexpected '{token.Describe()}'");
        }
    }

    /// <summary>One string, or several side by side.</summary>
    private ConstantExpression ParseString(int line)
    {
        var text = Advance().Text;
        if (current.Kind == TokenKind.String)
        {
            var all = new System.Text.StringBuilder(text);
            while (current.Kind == TokenKind.String)
            {
                all.Append(Advance().Text);
            }

            text = all.ToString();
        }

        attributes.Add(text);
        return Count(new ConstantExpression(line, new StringValue(text, Provenance.Template)));
    }

    private NameExpression ReadName(Token token)
    {
        var name = Intern(token.Text);
        if (name is ForStatement.Loop or MacroDefinition.Caller or MacroDefinition.Kwargs or MacroDefinition.Varargs)
        {
            read.Add(name);
        }

        return new NameExpression(token.Line, name);
    }

    private ListExpression ParseList()
    {
        var line = Advance().Line;
        var items = new List<Expression>();
        while (!current.IsOperator("]"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            if (current.IsOperator("]"))
            {
                break;
            }

            items.Add(ParseExpression());
        }

        ExpectOperator("]");
        return Count(new ListExpression(line, [.. items]));
    }

    private DictExpression ParseDict()
    {
        var line = Advance().Line;
        var items = new List<(Expression, Expression)>();
        while (!current.IsOperator("}"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            if (current.IsOperator("}"))
            {
                break;
            }

            var key = ParseExpression();
            ExpectOperator(":");
            items.Add((key, ParseExpression()));
        }

        ExpectOperator("}");
        return Count(new DictExpression(line, [.. items]));
    }

    /// <summary>An expression, or several with commas as a tuple.</summary>
    private Expression ParseTuple(bool withConditional = true, string? end = null, bool explicitParentheses = false)
    {
        var line = current.Line;
        var items = new List<Expression>();
        var isTuple = false;
        while (true)
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            if (IsTupleEnd(end))
            {
                break;
            }

            items.Add(ParseExpression(withConditional));
            if (!current.IsOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        if (!isTuple)
        {
            if (items.Count > 0)
            {
                return items[0];
            }

            if (!explicitParentheses)
            {
                throw Fail($"Expected an expression, got '{current.Describe()}'");
            }
        }

        return Count(new TupleExpression(line, [.. items]));
    }

    private bool IsTupleEnd(string? end)
        => current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || current.IsOperator(")") || (end is not null && current.IsName(end));

    private void ParsePostfix(List<Link> links)
    {
        while (current.Kind == TokenKind.Operator)
        {
            switch (current.Text)
            {
                case ".":
                    ParseAttribute(links);
                    break;
                case "[":
                    ParseSubscript(links);
                    break;
                case "(":
                    ParseCall(links);
                    break;
                default:
                    return;
            }
        }
    }

    private void ParseFiltersAndTests(List<Link> links)
    {
        while (true)
        {
            if (current.IsOperator("|"))
            {
                links.AddRange(ParseFilters(startInline: false));
            }
            else if (current.IsName("is"))
            {
                ParseTest(links);
            }
            else if (current.IsOperator("("))
            {
                ParseCall(links);
            }
            else
            {
                return;
            }
        }
    }

    private void ParseAttribute(List<Link> links)
    {
        var line = Advance().Line;
        switch (current.Kind)
        {
            case TokenKind.Name:
                links.Add(Count(new AttributeLink(line, ExpectName())));
                break;
            case TokenKind.Integer:
                links.Add(Count(new ItemLink(line, new ConstantExpression(line, IntValue.Of(Advance().Integer)))));
                break;
            default:
                throw Fail("expected name or number");
        }
    }

    private void ParseSubscript(List<Link> links)
    {
        var line = Advance().Line;
        var items = new List<Expression>();
        while (!current.IsOperator("]"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
            }

            items.Add(ParseSubscripted());
        }

        Advance();
        links.Add(Count(new ItemLink(line, items.Count == 1 ? items[0] : Count(new TupleExpression(line, [.. items])))));
    }

    private Expression ParseSubscripted()
    {
        var line = current.Line;
        var start = current.IsOperator(":") ? null : ParseExpression();
        if (!current.IsOperator(":"))
        {
            return start!;
        }

        Advance();
        var stop = current.IsOperator(":") || current.IsOperator("]") || current.IsOperator(",") ? null : ParseExpression();
        Expression? step = null;
        if (SkipOperator(":") && !current.IsOperator("]") && !current.IsOperator(","))
        {
            step = ParseExpression();
        }

        return Count(new SliceExpression(line, start, stop, step));
    }

    private void ParseCall(List<Link> links)
    {
        var line = current.Line;
        var arguments = ParseArguments();
        Link call = new CallLink(line, arguments);

        // A member and its call become one link, so that a method is never a value.
        if (links.Count > 0)
        {
            switch (links[^1])
            {
                case AttributeLink member:
                    links.RemoveAt(links.Count - 1);
                    call = new MethodLink(line, member.Name, arguments);
                    break;
                case ItemLink member:
                    links.RemoveAt(links.Count - 1);
                    call = new ItemCallLink(line, member.Index, arguments);
                    break;
            }
        }

        links.Add(Count(call));
    }

    private ArgumentList ParseArguments()
    {
        ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        Expression? morePositional = null;
        Expression? moreNamed = null;
        var isFirst = true;
        while (!current.IsOperator(")"))
        {
            if (!isFirst)
            {
                ExpectOperator(",");
                if (current.IsOperator(")"))
                {
                    break;
                }
            }

            isFirst = false;
            if (moreNamed is not null)
            {
                throw Fail("invalid syntax for function call expression");
            }

            if (SkipOperator("**"))
            {
                moreNamed = ParseExpression();
            }
            else if (current.Kind == TokenKind.Name && next.IsOperator("="))
            {
                var name = ExpectName();
                attributes.Add(name);
                Advance();
                if (named.Exists(pair => pair.Item1 == name))
                {
                    throw Fail($"keyword argument repeated: {Shorten.Text(name)}");
                }

                named.Add((name, ParseExpression()));
            }
            else if (morePositional is not null)
            {
                throw Fail("invalid syntax for function call expression");
            }
            else if (SkipOperator("*"))
            {
                morePositional = ParseExpression();
            }
            else if (named.Count > 0)
            {
                throw Fail("invalid syntax for function call expression");
            }
            else
            {
                positional.Add(ParseExpression());
            }
        }

        ExpectOperator(")");
        return positional.Count == 0 && named.Count == 0 && morePositional is null && moreNamed is null
            ? ArgumentList.None
            : new ArgumentList([.. positional], [.. named], morePositional, moreNamed);
    }

    private Link[] ParseFilters(bool startInline)
    {
        var filters = new List<Link>();
        while (startInline || current.IsOperator("|"))
        {
            if (!startInline)
            {
                Advance();
            }

            startInline = false;
            var line = current.Line;
            var name = ParseDottedName();
            var arguments = current.IsOperator("(") ? ParseArguments() : ArgumentList.None;
            filters.Add(Count(new FilterLink(line, name, arguments)));
        }

        return [.. filters];
    }

    private void ParseTest(List<Link> links)
    {
        var line = Advance().Line;
        var negated = SkipName("not");
        var name = ParseDottedName();
        var arguments = ArgumentList.None;
        if (current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (current.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || current.IsOperator("[") || current.IsOperator("{"))
        {
            if (current.IsName("is"))
            {
                throw Fail("You cannot chain multiple tests with is");
            }

            if (!current.IsName("else") && !current.IsName("or") && !current.IsName("and"))
            {
                var argumentLine = current.Line;
                var argument = ParsePrimary();
                var argumentLinks = new List<Link>();
                ParsePostfix(argumentLinks);
                arguments = new ArgumentList(
                    [argumentLinks.Count == 0 ? argument : new ChainExpression(argumentLine, argument, [.. argumentLinks])], [], morePositional: null, moreNamed: null);
            }
        }

        links.Add(Count(new TestLink(line, name, arguments, negated)));
    }

    private string ParseDottedName()
    {
        var name = ExpectName();
        while (SkipOperator("."))
        {
            name += "." + ExpectName();
        }

        return name;
    }
}
