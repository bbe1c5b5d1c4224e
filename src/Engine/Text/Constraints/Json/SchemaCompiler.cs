using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Turns a JSON schema into goals: one formula for each schema in it that applies to a value of its own. What it cannot decide exactly it refuses, with the JSON pointer.</summary>
internal sealed class SchemaCompiler
{
    private const int MaxDepth = 96;
    private const int MaxGoals = 50_000;
    private const int MaxFormula = 100_000;

    private readonly ExprPool _pool;
    private readonly SchemaIndex _index;
    private readonly SchemaAtoms _atoms;
    private readonly Dictionary<string, Goal> _goals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Goal> _same = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Formula?> _formulas = new(StringComparer.Ordinal);
    private readonly Queue<(Goal Goal, SchemaNode Node)> _waiting = [];
    private readonly Goal _anything = new(0);
    private readonly Goal _nothing = new(1) { Formula = Formula.False };
    private int _goalCount = 2;

    public SchemaCompiler(ExprPool pool, JsonElement schema)
    {
        _pool = pool;
        _index = new SchemaIndex(schema);
        _atoms = new SchemaAtoms(pool, this);
    }

    public int AtomCount => _atoms.Count;

    public SchemaIndex Index => _index;

    public Goal Anything => _anything;

    public Goal Nothing => _nothing;

    /// <summary>The goal of the whole schema, with everything it leads to.</summary>
    public Goal Compile()
    {
        var root = GoalOf(_index.Root, 0);
        while (_waiting.TryDequeue(out var waiting))
        {
            waiting.Goal.Formula = FormulaOf(waiting.Node, 0);
        }

        if (root.Formula.IsFalse)
        {
            throw GrammarErrors.Unsatisfiable("Nothing is valid under the schema", "");
        }

        return root;
    }

    /// <summary>A goal whose formula is known.</summary>
    public Goal GoalOf(Formula formula) => formula.IsTrue ? _anything : formula.IsFalse ? _nothing : new Goal(NextGoal("")) { Formula = formula };

    /// <summary>The goal of a schema; its formula comes later.</summary>
    public Goal GoalOf(SchemaNode node, int depth)
    {
        if (_goals.TryGetValue(node.Pointer, out var goal))
        {
            return goal;
        }

        CheckDepth(depth, node.Pointer);
        switch (node.Element.ValueKind)
        {
            case JsonValueKind.True:
                return _anything;
            case JsonValueKind.False:
                return _nothing;
        }

        // Small schemas that say the same are one.
        var text = node.Element.GetRawText();
        var key = text.Length <= 400 && !text.Contains("\"$", StringComparison.Ordinal) && !text.Contains("\"id\"", StringComparison.Ordinal) ? text : null;
        if (key is not null && _same.TryGetValue(key, out goal))
        {
            return goal;
        }

        goal = new Goal(NextGoal(node.Pointer));
        _goals.Add(node.Pointer, goal);
        if (key is not null)
        {
            _same.Add(key, goal);
        }

        _waiting.Enqueue((goal, node));
        return goal;
    }

    /// <summary>What a schema says about the value it stands at.</summary>
    public Formula FormulaOf(SchemaNode node, int depth)
    {
        CheckDepth(depth, node.Pointer);
        if (_formulas.TryGetValue(node.Pointer, out var known))
        {
            // A schema that refers to itself with nothing in between: no value is ever shown to be valid under it.
            return known ?? Formula.False;
        }

        _formulas.Add(node.Pointer, null);
        var formula = node.Element.ValueKind switch
        {
            JsonValueKind.True => Formula.True,
            JsonValueKind.False => Formula.False,
            JsonValueKind.Object => ObjectFormula(node, depth + 1),
            var kind => throw GrammarErrors.Invalid($"A schema is an object, true or false, not {kind}", node.Pointer),
        };
        if (formula.Size > MaxFormula)
        {
            throw GrammarErrors.Limit($"The alternatives of the schema multiply to more than {MaxFormula}", node.Pointer);
        }

        _formulas[node.Pointer] = formula;
        return formula;
    }

    private Formula ObjectFormula(SchemaNode node, int depth)
    {
        List<Formula> parts = [];
        if (node.Text("$ref") is { } reference)
        {
            var target = FormulaOf(_index.Resolve(node, reference), depth);
            if (_index.Draft < 2019)
            {
                return target;
            }

            parts.Add(target);
        }

        foreach (var name in (ReadOnlySpan<string>)["$dynamicRef", "$recursiveRef"])
        {
            if (node.Has(name))
            {
                throw GrammarErrors.Unsupported($"{name} is not supported", node.Pointer);
            }
        }

        foreach (var (name, join) in s_lists)
        {
            if (node.Member(name) is { } list)
            {
                if (list.Element.ValueKind != JsonValueKind.Array || list.Element.GetArrayLength() == 0)
                {
                    throw GrammarErrors.Invalid($"{name} is an array of at least one schema", list.Pointer);
                }

                parts.Add(join(list.Items().Select(item => FormulaOf(item, depth)).ToArray()));
            }
        }

        if (node.Member("not") is { } not)
        {
            parts.Add(Formula.Not(FormulaOf(not, depth)));
        }

        if (node.Member("if") is { } condition && _index.Draft >= 7)
        {
            var then = node.Member("then") is { } t ? FormulaOf(t, depth) : Formula.True;
            var otherwise = node.Member("else") is { } e ? FormulaOf(e, depth) : Formula.True;
            if (!then.IsTrue || !otherwise.IsTrue)
            {
                parts.Add(Formula.If(FormulaOf(condition, depth), then, otherwise));
            }
        }

        foreach (var name in (ReadOnlySpan<string>)["dependentSchemas", "dependencies"])
        {
            if (node.Member(name) is not { } dependencies)
            {
                continue;
            }

            foreach (var (key, schema) in dependencies.Members())
            {
                if (schema.Element.ValueKind != JsonValueKind.Array && !(schema.Element.ValueKind == JsonValueKind.String && name == "dependencies"))
                {
                    parts.Add(Formula.Or(Formula.Not(Formula.Of(_atoms.Key(key))), FormulaOf(schema, depth)));
                }
            }
        }

        _atoms.Add(node, parts, depth);
        return Formula.And(parts.ToArray());
    }

    private static readonly (string Name, Func<Formula[], Formula> Join)[] s_lists = [("allOf", p => Formula.And(p)), ("anyOf", p => Formula.Or(p)), ("oneOf", p => Formula.One(p))];

    private int NextGoal(string pointer)
    {
        if (_goalCount >= MaxGoals)
        {
            throw GrammarErrors.Limit($"There are more than {MaxGoals} schemas in the schema", pointer);
        }

        return _goalCount++;
    }

    private static void CheckDepth(int depth, string pointer)
    {
        Deep.Check();
        if (depth > MaxDepth)
        {
            throw GrammarErrors.Limit($"Schemas are nested more than {MaxDepth} deep", pointer);
        }
    }
}
