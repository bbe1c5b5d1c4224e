using System.Text;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>What remains to be read after a piece: a list of pieces. Equal lists are one object.</summary>
internal sealed class Continuation(GrammarPart part, Continuation? next)
{
    public GrammarPart Part { get; } = part;

    public Continuation? Next { get; } = next;
}

/// <summary>A grammar at work: makes cursors and remembers what is shared between them. All use is under <see cref="Gate"/>.</summary>
internal sealed class Machine
{
    private const int MaxAlternatives = 512;
    private const int MaxDepth = 512;

    private readonly Dictionary<(GrammarPart, Continuation?), Continuation> _continuations = [];
    private readonly Dictionary<(Continuation?, Type), Mode> _modes = [];
    private readonly Dictionary<GrammarPart, int> _expressions = [];
    private readonly Dictionary<JsonPart, Json.SchemaProgram> _schemas = new(ReferenceEqualityComparer.Instance);
    private readonly EndMode _end = new();
    private readonly SetMode _set;

    public Machine() => _set = new SetMode(this);

    public Lock Gate { get; } = new();

    public ExprPool Pool { get; } = new();

    /// <summary>Bytes held by what was computed, about.</summary>
    public long Bytes => Pool.Bytes + _schemas.Values.Sum(static s => s.Bytes) + _set.Bytes;

    public Continuation Push(GrammarPart part, Continuation? next)
    {
        if (!_continuations.TryGetValue((part, next), out var known))
        {
            _continuations.Add((part, next), known = new Continuation(part, next));
        }

        return known;
    }

    /// <summary>The cursor before what remains.</summary>
    public Cursor Start(Continuation? next)
    {
        List<Cursor> cursors = [];
        AddStarts(next, cursors, [], 0);
        return Union(cursors);
    }

    /// <summary>One cursor for several that are alive at the same time.</summary>
    public Cursor Union(List<Cursor> cursors)
    {
        switch (cursors.Count)
        {
            case 0:
                return default;
            case 1:
                return cursors[0];
            case > MaxAlternatives:
                throw GrammarErrors.Limit($"More than {MaxAlternatives} alternatives of the grammar are open at the same time.");
            default:
                return new Cursor(_set, _set.Intern([.. cursors]));
        }
    }

    /// <summary>Adds a cursor and all that can begin where it is complete.</summary>
    public void Add(List<Cursor> cursors, Cursor cursor)
    {
        if (cursor.IsDead)
        {
            return;
        }

        if (ReferenceEquals(cursor.Mode, _set))
        {
            foreach (var one in _set.Members(cursor.Value))
            {
                Add(cursors, one);
            }
        }
        else if (!cursors.Contains(cursor))
        {
            cursors.Add(cursor);
        }
    }

    public Json.SchemaProgram Program(JsonPart part)
    {
        if (!_schemas.TryGetValue(part, out var program))
        {
            _schemas.Add(part, program = Json.SchemaProgram.Compile(this, part));
        }

        return program;
    }

    /// <summary>Compiles what can be compiled before anything is read, so that errors come now.</summary>
    public void Prepare(GrammarPart part, HashSet<GrammarPart> seen)
    {
        Deep.Check();
        if (!seen.Add(part))
        {
            return;
        }

        switch (part)
        {
            case LiteralPart or RegexPart or ExpressionPart or TriggerPart { Triggers.Count: > 0 }:
                Expression(part);
                break;
            case JsonPart json:
                Program(json);
                break;
        }

        foreach (var inner in part switch
        {
            SequencePart sequence => sequence.Parts,
            ChoicePart choice => choice.Parts,
            RepeatPart repeat => [repeat.Part],
            TriggerPart trigger => [trigger.Then],
            RulePart { Body: { } body } => [body],
            _ => (IReadOnlyList<GrammarPart>)[],
        })
        {
            Prepare(inner, seen);
        }
    }

    private void AddStarts(Continuation? next, List<Cursor> cursors, HashSet<Continuation> seen, int depth)
    {
        if (next is null)
        {
            Add(cursors, new Cursor(_end, 0));
            return;
        }

        if (!seen.Add(next))
        {
            return;
        }

        if (depth > MaxDepth)
        {
            throw GrammarErrors.Limit($"Rules of the grammar call each other more than {MaxDepth} deep without reading anything.");
        }

        var rest = next.Next;
        depth++;
        switch (next.Part)
        {
            case SequencePart sequence:
                for (var i = sequence.Parts.Count - 1; i >= 0; i--)
                {
                    rest = Push(sequence.Parts[i], rest);
                }

                AddStarts(rest, cursors, seen, depth);
                break;
            case ChoicePart choice:
                foreach (var part in choice.Parts)
                {
                    AddStarts(Push(part, rest), cursors, seen, depth);
                }

                break;
            case RepeatPart repeat:
                if (repeat.Min == 0)
                {
                    AddStarts(rest, cursors, seen, depth);
                }

                if (repeat.Max != 0)
                {
                    AddStarts(Push(repeat.Part, Push(repeat with { Min = Math.Max(0, repeat.Min - 1), Max = repeat.Max - 1 }, rest)), cursors, seen, depth);
                }

                break;
            case RulePart rule:
                AddStarts(Push(rule.Body!, rest), cursors, seen, depth);
                break;
            case TokenPart token:
                Add(cursors, new Cursor(Mode(next, () => new TokenMode(this, rest)), token.Id));
                break;
            case TriggerPart trigger:
                if (rest is not null)
                {
                    throw GrammarErrors.Unsupported("Free text up to a trigger can only be the last piece of a grammar");
                }

                Add(cursors, new Cursor(Mode(next, () => new TriggerMode(this, trigger, Push(trigger.Then, rest))), Expression(trigger)));
                break;
            case JsonPart json:
                Add(cursors, Program(json).Start(rest));
                break;
            default:
                var e = Expression(next.Part);
                if (Pool.Nullable(e) && rest is not null)
                {
                    AddStarts(rest, cursors, seen, depth);
                }

                if (!Pool.IsEmpty(e) && (rest is null || e != ExprPool.Epsilon))
                {
                    Add(cursors, new Cursor(Mode(rest, () => new AutomatonMode(this, rest)), e));
                }

                break;
        }
    }

    private int Expression(GrammarPart part)
    {
        if (_expressions.TryGetValue(part, out var e))
        {
            return e;
        }

        e = part switch
        {
            LiteralPart literal => Pool.Literal(Encoding.UTF8.GetBytes(literal.Value)),
            RegexPart regex => Satisfiable(RegexCompiler.Whole(Pool, RegexSyntax.Parse(regex.Pattern, RegexDialect.Unicode)), regex.Pattern),
            ExpressionPart expression => RegexCompiler.Whole(Pool, expression.Node),
            TriggerPart { Triggers.Count: 0 } => Pool.AnyText,
            TriggerPart trigger => UpToFirst(Pool.Literals([.. trigger.Triggers.Select(Encoding.UTF8.GetBytes)])),
            _ => ExprPool.Empty,
        };
        _expressions.Add(part, e);
        return e;
    }

    private int Satisfiable(int e, string pattern)
        => Pool.IsEmpty(e) ? throw GrammarErrors.Unsatisfiable($"Nothing matches the regular expression '{GrammarErrors.Shown(pattern)}'") : e;

    /// <summary>Texts that end with the trigger and have none before.</summary>
    private int UpToFirst(int trigger)
        => Pool.And(Pool.Concat(Pool.AnyText, trigger), Pool.Not(Pool.Concat(Pool.AnyText, trigger, Pool.AnyChar, Pool.AnyText)));

    private Mode Mode<T>(Continuation? key, Func<T> make) where T : Mode
    {
        if (!_modes.TryGetValue((key, typeof(T)), out var mode))
        {
            _modes.Add((key, typeof(T)), mode = make());
        }

        return mode;
    }
}
