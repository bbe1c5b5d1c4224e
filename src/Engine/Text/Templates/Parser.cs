namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Statements of the language. Expressions are in the other half of the class.</summary>
internal sealed partial class Parser
{
    private readonly Lexer lexer;
    private readonly Dictionary<string, string> names = new(StringComparer.Ordinal);
    private readonly HashSet<string> assigned = new(StringComparer.Ordinal);
    private readonly HashSet<string> attributes = new(StringComparer.Ordinal);

    // Names of special variables that were read since a macro or loop began; see Reading.
    private readonly HashSet<string> read = new(StringComparer.Ordinal);
    private Token current;
    private Token next;
    private int depth;
    private int loops;
    private int macros;
    private int nodes;

    private Parser(string source)
    {
        foreach (var name in (ReadOnlySpan<string>)[ForStatement.Loop, MacroDefinition.Caller, MacroDefinition.Kwargs, MacroDefinition.Varargs])
        {
            names.Add(name, name);
        }

        lexer = new Lexer(source);
        current = lexer.Next();
        next = lexer.Next();
    }

    public static Block Parse(string source)
    {
        var parser = new Parser(source);
        var body = parser.ParseBody();
        body.Verify(new Verification(parser.assigned, parser.attributes));
        return body;
    }

    private Block ParseBody(params ReadOnlySpan<string> ends)
    {
        Deeper();
        var statements = new List<Statement>();
        while (true)
        {
            switch (current.Kind)
            {
                case TokenKind.End:
                    if (ends.Length > 0)
                    {
                        throw Fail($"unexpected end of template; looking for {string.Join(" or ", ends.ToArray())}");
                    }

                    depth--;
                    return new Block([.. statements]);
                case TokenKind.Data:
                    statements.Add(Count(new DataStatement(current.Line, Advance().Text)));
                    break;
                case TokenKind.VariableBegin:
                    var line = Advance().Line;
                    statements.Add(Count(new OutputStatement(line, ParseTuple())));
                    Expect(TokenKind.VariableEnd);
                    break;
                default:
                    Advance();
                    foreach (var end in ends)
                    {
                        if (current.IsName(end))
                        {
                            depth--;
                            return new Block([.. statements]);
                        }
                    }

                    ParseStatement(statements);
                    Expect(TokenKind.BlockEnd);
                    break;
            }
        }
    }

    /// <summary>A body to its end tag, that tag included.</summary>
    private Block ParseBlockUntil(string end)
    {
        Expect(TokenKind.BlockEnd);
        var body = ParseBody(end);
        Advance();
        return body;
    }

    private void ParseStatement(List<Statement> statements)
    {
        var line = current.Line;
        var tag = ExpectName();
        switch (tag)
        {
            case "if":
                statements.Add(Count(ParseIf(line)));
                break;
            case "for":
                statements.Add(Count(ParseFor(line)));
                break;
            case "set":
                statements.Add(Count(ParseSet(line)));
                break;
            case "macro":
                statements.Add(Count(ParseMacro(line)));
                break;
            case "call":
                statements.Add(Count(ParseCallBlock(line)));
                break;
            case "filter":
                var filters = ParseFilters(startInline: true);
                statements.Add(Count(new FilterStatement(line, filters, ParseBlockUntil("endfilter"))));
                break;
            case "with":
                statements.Add(Count(ParseWith(line)));
                break;
            case "print":
                ParsePrint(line, statements);
                break;
            case "break" or "continue":
                if (loops == 0)
                {
                    throw Fail($"'{tag}' outside loop");
                }

                statements.Add(Count(new JumpStatement(line, tag == "break" ? Completion.Break : Completion.Continue)));
                break;
            case "generation":
                statements.Add(Count(new ScopeStatement(line, OutsideLoops(() => ParseBlockUntil("endgeneration")), fromRoot: false)));
                break;
            case "block":
                statements.Add(Count(ParseBlock(line)));
                break;
            case "autoescape":
                if (ParseExpression() is not ConstantExpression { Value: BoolValue { Value: false } })
                {
                    throw new ChatTemplateException(ChatTemplateError.Unsupported, $"Chat template, line {line}: autoescape is not supported", line);
                }

                statements.Add(Count(new ScopeStatement(line, ParseBlockUntil("endautoescape"), fromRoot: false)));
                break;
            case "include" or "import" or "extends" or "from":
                throw new ChatTemplateException(ChatTemplateError.Forbidden, $"Chat template, line {line}: '{tag}': templates cannot access files", line);
            default:
                throw Fail($"Encountered unknown tag '{Shorten.Text(tag)}'");
        }
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            var test = ParseTuple(withConditional: false);
            Expect(TokenKind.BlockEnd);
            branches.Add((test, ParseBody("elif", "else", "endif")));
            var tag = Advance().Text;
            if (tag == "elif")
            {
                continue;
            }

            if (tag == "else")
            {
                otherwise = ParseBlockUntil("endif");
            }

            return new IfStatement(line, [.. branches], otherwise);
        }
    }

    private ForStatement ParseFor(int line)
    {
        var target = ParseTarget(withAttributes: false, end: "in");
        RefuseLoopVariable(target);
        if (!SkipName("in"))
        {
            throw Fail($"expected 'in', got '{current.Describe()}'");
        }

        var iterable = ParseTuple(withConditional: false, end: "recursive");
        var test = SkipName("if") ? ParseExpression() : null;
        var recursive = SkipName("recursive");
        var outer = new HashSet<string>(read, StringComparer.Ordinal);
        Expect(TokenKind.BlockEnd);
        loops++;
        var macrosBefore = macros;
        read.Clear();
        var body = ParseBody("endfor", "else");
        loops--;
        var usesLoop = read.Contains(ForStatement.Loop);
        read.UnionWith(outer);
        var otherwise = Advance().Text == "else" ? ParseBlockUntil("endfor") : null;
        return new ForStatement(line, target, iterable, test, body, otherwise, recursive, usesLoop, keepsScopes: macros > macrosBefore);
    }

    private void RefuseLoopVariable(Target target)
    {
        switch (target)
        {
            case NameTarget { Name: ForStatement.Loop }:
                throw Fail("Can't assign to special loop variable in for-loop target");
            case TupleTarget tuple:
                Array.ForEach(tuple.Targets, RefuseLoopVariable);
                break;
        }
    }

    private Statement ParseSet(int line)
    {
        var target = ParseTarget(withAttributes: true, end: null);
        if (SkipOperator("="))
        {
            return new SetStatement(line, target, ParseTuple());
        }

        var filters = ParseFilters(startInline: false);
        return new SetBlockStatement(line, target, filters, ParseBlockUntil("endset"));
    }

    private MacroStatement ParseMacro(int line)
    {
        var name = Store(ExpectName());
        return new MacroStatement(line, name, ParseMacroBody(name, "endmacro"));
    }

    private CallStatement ParseCallBlock(int line)
    {
        var (parameters, defaults) = current.IsOperator("(") ? ParseSignature() : ([], []);
        if (ParseExpression() is not ChainExpression { Links: [.., CallLink or MethodLink or ItemCallLink] } call)
        {
            throw Fail("expected call");
        }

        return new CallStatement(line, ParseMacroBody(name: null, "endcall", parameters, defaults), call);
    }

    private MacroDefinition ParseMacroBody(string? name, string end)
    {
        var (parameters, defaults) = ParseSignature();
        return ParseMacroBody(name, end, parameters, defaults);
    }

    private MacroDefinition ParseMacroBody(string? name, string end, string[] parameters, Expression?[] defaults)
    {
        macros++;
        var outer = new HashSet<string>(read, StringComparer.Ordinal);
        read.Clear();
        var body = OutsideLoops(() => ParseBlockUntil(end));
        var caller = Array.IndexOf(parameters, MacroDefinition.Caller);
        var usesCaller = read.Contains(MacroDefinition.Caller);
        if (usesCaller && caller >= 0 && defaults[caller] is null)
        {
            throw Fail("the special \"caller\" argument must be omitted or be given a default");
        }

        var macro = new MacroDefinition(
            name,
            parameters,
            defaults,
            body,
            usesCaller && caller < 0,
            read.Contains(MacroDefinition.Kwargs) && !parameters.Contains(MacroDefinition.Kwargs),
            read.Contains(MacroDefinition.Varargs) && !parameters.Contains(MacroDefinition.Varargs));
        read.UnionWith(outer);
        return macro;
    }

    private (string[] Parameters, Expression?[] Defaults) ParseSignature()
    {
        ExpectOperator("(");
        var parameters = new List<string>();
        var defaults = new List<Expression?>();
        while (!current.IsOperator(")"))
        {
            if (parameters.Count > 0)
            {
                ExpectOperator(",");
            }

            var name = Store(ExpectName());
            if (parameters.Contains(name))
            {
                throw Fail($"duplicate argument '{Shorten.Text(name)}'");
            }

            parameters.Add(name);
            if (SkipOperator("="))
            {
                defaults.Add(ParseExpression());
            }
            else if (defaults.Exists(value => value is not null))
            {
                throw Fail("non-default argument follows default argument");
            }
            else
            {
                defaults.Add(null);
            }
        }

        Advance();
        return ([.. parameters], [.. defaults]);
    }

    private WithStatement ParseWith(int line)
    {
        var assignments = new List<(Target, Expression)>();
        while (current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0)
            {
                ExpectOperator(",");
            }

            var target = ParseTarget(withAttributes: false, end: null);
            ExpectOperator("=");
            assignments.Add((target, ParseExpression()));
        }

        return new WithStatement(line, [.. assignments], ParseBlockUntil("endwith"));
    }

    private void ParsePrint(int line, List<Statement> statements)
    {
        var isFirst = true;
        while (current.Kind != TokenKind.BlockEnd)
        {
            if (!isFirst)
            {
                ExpectOperator(",");
            }

            isFirst = false;
            statements.Add(Count(new OutputStatement(line, ParseExpression())));
        }
    }

    private ScopeStatement ParseBlock(int line)
    {
        var name = ExpectName();
        SkipName("scoped");
        var body = OutsideLoops(() => ParseBlockUntil("endblock"));
        SkipName(name);
        return new ScopeStatement(line, body, fromRoot: true);
    }

    private Block OutsideLoops(Func<Block> parse)
    {
        var outer = loops;
        loops = 0;
        var body = parse();
        loops = outer;
        return body;
    }

    /// <summary>What can be assigned to: names, attributes of namespaces, tuples of them.</summary>
    private Target ParseTarget(bool withAttributes, string? end)
    {
        var targets = new List<Target>();
        var isTuple = false;
        while (true)
        {
            if (targets.Count > 0)
            {
                ExpectOperator(",");
            }

            if (IsTupleEnd(end))
            {
                break;
            }

            targets.Add(ParseSingleTarget(withAttributes));
            if (!current.IsOperator(","))
            {
                break;
            }

            isTuple = true;
        }

        if (targets.Count == 0)
        {
            throw Fail($"Expected an expression, got '{current.Describe()}'");
        }

        return isTuple ? new TupleTarget([.. targets]) : targets[0];
    }

    private Target ParseSingleTarget(bool withAttributes)
    {
        if (current.IsOperator("("))
        {
            Deeper();
            Advance();
            var inner = ParseTarget(withAttributes: false, end: null);
            ExpectOperator(")");
            depth--;
            return inner;
        }

        var name = Store(ExpectName());
        if (withAttributes && current.IsOperator("."))
        {
            Advance();
            var attribute = ExpectName();
            attributes.Add(attribute);
            return new AttributeTarget(name, attribute);
        }

        return new NameTarget(name);
    }

    private string Store(string name)
    {
        if (name is "true" or "false" or "none" or "True" or "False" or "None")
        {
            throw Fail($"can't assign to '{name}'");
        }

        if (name == ForStatement.Loop && loops > 0)
        {
            throw Fail("Can't assign to special loop variable in for-loop target");
        }

        assigned.Add(name);
        return name;
    }

    /// <summary>The one instance of this name, so that scopes can compare references.</summary>
    private string Intern(string name)
    {
        if (!names.TryGetValue(name, out var known))
        {
            names.Add(name, known = name);
        }

        return known;
    }

    private Token Advance()
    {
        var taken = current;
        current = next;
        next = lexer.Next();
        return taken;
    }

    private bool SkipName(string name)
    {
        if (!current.IsName(name))
        {
            return false;
        }

        Advance();
        return true;
    }

    private bool SkipOperator(string sign)
    {
        if (!current.IsOperator(sign))
        {
            return false;
        }

        Advance();
        return true;
    }

    private void Expect(TokenKind kind)
    {
        if (current.Kind != kind)
        {
            throw Fail($"expected {new Token(kind, "", 0).Describe()}, got '{current.Describe()}'");
        }

        Advance();
    }

    private void ExpectOperator(string sign)
    {
        if (!SkipOperator(sign))
        {
            throw Fail($"expected '{sign}', got '{current.Describe()}'");
        }
    }

    private string ExpectName()
        => current.Kind == TokenKind.Name ? Intern(Advance().Text) : throw Fail($"expected a name, got '{current.Describe()}'");

    private void Deeper()
    {
        if (++depth > Budget.ParseDepth)
        {
            throw Limit($"depth of nested blocks and expressions; the limit is {Budget.ParseDepth}");
        }
    }

    private T Count<T>(T node)
    {
        if (++nodes > Budget.Nodes)
        {
            throw Limit($"statements and expressions; the limit is {Budget.Nodes}");
        }

        return node;
    }

    private ChatTemplateException Fail(string message) => new(ChatTemplateError.Syntax, $"Chat template, line {current.Line}: {message}", current.Line);

    private ChatTemplateException Limit(string what) => new(ChatTemplateError.Limit, $"Chat template, line {current.Line}: limit exceeded: {what}", current.Line);
}
