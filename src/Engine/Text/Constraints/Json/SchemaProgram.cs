using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>A compiled schema at work: its places for values and what is remembered of them.</summary>
internal sealed class SchemaProgram
{
    private const long MaxRememberedBytes = 2L << 20;
    private const long MaxStateBytes = 256L << 20;
    private const int MaxOne = 512;

    private readonly Machine _machine;
    private readonly Dictionary<VectorKey, Locus> _loci = [];
    private readonly Dictionary<Locus, Context> _shared = [];
    private readonly Dictionary<(TokenVocabulary, JsonMode, int), RememberedMask> _masks = [];
    private readonly List<Bits> _failed = [];
    private readonly Dictionary<Bits, int> _failedIds = [];
    private readonly Dictionary<(Goal, bool), int> _numbers = [];
    private readonly Dictionary<Goal, int> _strings = [];
    private readonly Dictionary<int, ReturnStack> _exits = [];
    private readonly Goal _root;
    private readonly ExitSlot _exitSlot;
    private long _maskBytes;
    private long _bytes;
    private DoneMode? _done;

    private SchemaProgram(Machine machine, JsonPart part)
    {
        _machine = machine;
        FreeWhiteSpace = part.Options.FreeWhiteSpace;
        Canonical = !part.Options.FreeWhiteSpace;
        AnyNumber = NumberSyntax.Any(Pool);
        PlainNumber = NumberSyntax.Plain(Pool);
        _exitSlot = new ExitSlot(this);
        Exit = DeepExit(0);
        var compiler = new SchemaCompiler(Pool, part.Schema);
        _root = compiler.Compile();
        Truths = new Truth[compiler.AtomCount];
    }

    public ExprPool Pool => _machine.Pool;

    /// <summary>White space wherever JSON allows it.</summary>
    public bool FreeWhiteSpace { get; }

    /// <summary>Escapes only where they are needed.</summary>
    public bool Canonical { get; }

    public int AnyNumber { get; }

    /// <summary>Numbers without an exponent.</summary>
    public int PlainNumber { get; }

    /// <summary>Scratch: what is known of each atom.</summary>
    public Truth[] Truths { get; }

    public ItemSet NoItems { get; } = new(null, "");

    public ReturnStack Exit { get; }

    public DoneMode Done => _done ??= new DoneMode(this);

    /// <summary>Bytes held, about.</summary>
    public long Bytes => _bytes + _maskBytes;

    public static SchemaProgram Compile(Machine machine, JsonPart part)
    {
        var program = new SchemaProgram(machine, part);
        if (program.Start(null).IsDead)
        {
            throw GrammarErrors.Unsatisfiable("Nothing is valid under the schema", "");
        }

        return program;
    }

    /// <summary>Before the value.</summary>
    public Cursor Start(Continuation? next)
    {
        var locus = LocusOf(_root.Formula.IsTrue ? [] : [_root]);
        var slot = new RootSlot(this, _machine, next);
        var context = slot.Context(locus);
        var start = new Cursor(context.Value, 0, new ReturnStack(slot, null));
        foreach (var b in "\"-0123456789{[ntf"u8)
        {
            if (!start.Step(b).IsDead)
            {
                return start;
            }
        }

        return default;
    }

    /// <summary>A stack that leads out, as deep as a real one.</summary>
    public ReturnStack DeepExit(int depth)
    {
        if (!_exits.TryGetValue(depth, out var stack))
        {
            stack = new ReturnStack(_exitSlot, depth == 0 ? null : DeepExit(depth - 1));
            _exits.Add(depth, stack);
        }

        return stack;
    }

    /// <summary>Notes bytes that a state holds.</summary>
    public void Charge(long bytes)
    {
        _bytes += bytes;
        if (_bytes > MaxStateBytes)
        {
            throw GrammarErrors.Limit($"What is being read under the schema needs more than {MaxStateBytes >> 20} MiB of states");
        }
    }

    public Locus LocusOf(List<Goal> goals)
    {
        Goal[] ordered = [.. goals.OrderBy(g => g.Id)];
        var key = new VectorKey([.. ordered.Select(g => g.Id)]);
        if (!_loci.TryGetValue(key, out var locus))
        {
            _loci.Add(key, locus = new Locus(this, ordered));
            Charge(200);
        }

        return locus;
    }

    public Context Shared(Locus locus)
    {
        if (!_shared.TryGetValue(locus, out var context))
        {
            _shared.Add(locus, context = new Context(locus, Requirement.All));
        }

        return context;
    }

    public bool TryRecall(TokenVocabulary vocabulary, JsonMode mode, int value, out RememberedMask mask) => _masks.TryGetValue((vocabulary, mode, value), out mask!);

    public void Remember(TokenVocabulary vocabulary, JsonMode mode, int value, RememberedMask mask)
    {
        if (_maskBytes + mask.Bytes > MaxRememberedBytes)
        {
            // What is needed again is soon here again.
            _masks.Clear();
            _maskBytes = 0;
        }

        _masks[(vocabulary, mode, value)] = mask;
        _maskBytes += mask.Bytes + 60;
    }

    public int IdOfFailed(Bits failed)
    {
        if (!_failedIds.TryGetValue(failed, out var id))
        {
            _failedIds.Add(failed, id = _failed.Count);
            _failed.Add(failed);
        }

        return id;
    }

    public Bits FailedById(int id) => _failed[id];

    /// <summary>Strings that are valid under a schema, as an expression over their decoded bytes.</summary>
    public int StringExpression(Goal goal)
    {
        if (!_strings.TryGetValue(goal, out var e))
        {
            e = Pool.And(Pool.AnyText, Fold(goal.Project(JsonTypes.String), a => ((StringAtom)a).Expression, []));
            _strings.Add(goal, e);
        }

        return e;
    }

    /// <summary>Numbers that are valid under a schema.</summary>
    public int NumberExpression(Goal goal, bool withExponent)
    {
        if (!_numbers.TryGetValue((goal, withExponent), out var e))
        {
            e = Pool.And(withExponent ? AnyNumber : PlainNumber, Fold(goal.Project(JsonTypes.Number), a => ((NumberAtom)a).Expression, []));
            _numbers.Add((goal, withExponent), e);
        }

        return e;
    }

    private int Fold(Formula formula, Func<Atom, int> leaf, Dictionary<Formula, int> done)
    {
        Deep.Check();
        if (done.TryGetValue(formula, out var e))
        {
            return e;
        }

        switch (formula.Kind)
        {
            case FormulaKind.Atom:
                e = leaf(formula.Atom!);
                break;
            case FormulaKind.Not:
                e = Pool.Not(Fold(formula.Parts[0], leaf, done));
                break;
            case FormulaKind.And:
                e = Pool.And([.. formula.Parts.Select(p => Fold(p, leaf, done))]);
                break;
            case FormulaKind.Or:
                e = Pool.Alt([.. formula.Parts.Select(p => Fold(p, leaf, done))]);
                break;
            default:
                if (formula.Parts.Length > MaxOne)
                {
                    throw GrammarErrors.Limit(FormattableString.Invariant($"oneOf has {formula.Parts.Length} alternatives for one type of scalars; at most {MaxOne} are supported"));
                }

                int[] parts = [.. formula.Parts.Select(p => Fold(p, leaf, done))];
                e = ExprPool.Empty;
                // One so far, and none so far: one pass instead of a product.
                var none = ExprPool.All;
                foreach (var part in parts)
                {
                    e = Pool.Alt(Pool.And(e, Pool.Not(part)), Pool.And(none, part));
                    none = Pool.And(none, Pool.Not(part));
                }

                break;
        }

        done.Add(formula, e);
        return e;
    }
}

/// <summary>How JSON writes numbers.</summary>
internal static class NumberSyntax
{
    public static int Any(ExprPool pool) => pool.Concat(Plain(pool), pool.Optional(pool.Concat(Set(pool, "eE"), pool.Optional(Set(pool, "+-")), pool.Repeat(Digit(pool), 1, ExprPool.Infinite))));

    public static int Plain(ExprPool pool) => pool.Concat(Sign(pool), Whole(pool), pool.Optional(pool.Concat(pool.Byte((byte)'.'), pool.Repeat(Digit(pool), 1, ExprPool.Infinite))));

    public static int Sign(ExprPool pool) => pool.Optional(pool.Byte((byte)'-'));

    public static int Whole(ExprPool pool) => pool.Alt(pool.Byte((byte)'0'), pool.Concat(pool.Branch(['1', '9', ExprPool.Epsilon]), pool.Star(Digit(pool))));

    public static int Digit(ExprPool pool) => pool.Branch(['0', '9', ExprPool.Epsilon]);

    private static int Set(ExprPool pool, string bytes) => pool.Alt(pool.Byte((byte)bytes[0]), pool.Byte((byte)bytes[1]));
}
