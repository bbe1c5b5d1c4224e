using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>All is read.</summary>
internal sealed class EndMode : Mode
{
    public override Cursor Step(in Cursor at, byte b) => default;

    public override bool CanEnd(in Cursor at) => true;

    public override void Fill(in Cursor at, MaskWalk walk)
    {
    }
}

/// <summary>Reads a regular language; the value is its expression.</summary>
internal sealed class AutomatonMode(Machine machine, Continuation? next) : Mode
{
    public override Cursor Step(in Cursor at, byte b)
    {
        var e = machine.Pool.Next(at.Value, b);
        if (e == ExprPool.Empty)
        {
            return default;
        }

        if (next is null || !machine.Pool.Nullable(e))
        {
            return new Cursor(this, e);
        }

        List<Cursor> cursors = [];
        if (e != ExprPool.Epsilon)
        {
            cursors.Add(new Cursor(this, e));
        }

        machine.Add(cursors, machine.Start(next));
        return machine.Union(cursors);
    }

    public override bool CanEnd(in Cursor at) => next is null && machine.Pool.Nullable(at.Value);

    public override int OnlyByte(in Cursor at) => machine.Pool.OnlyByte(at.Value);

    public override void Fill(in Cursor at, MaskWalk walk)
    {
        if (next is null)
        {
            walk.WalkAutomaton(machine.Pool, at.Value);
        }
        else
        {
            base.Fill(at, walk);
        }
    }
}

/// <summary>Reads one token by number; the value is its id.</summary>
internal sealed class TokenMode(Machine machine, Continuation? next) : Mode
{
    public override Cursor Step(in Cursor at, byte b) => default;

    public override void Tokens(in Cursor at, List<(int Id, Cursor Next)> tokens) => tokens.Add((at.Value, machine.Start(next)));

    public override void Fill(in Cursor at, MaskWalk walk)
    {
    }
}

/// <summary>Free text up to a trigger; the value is the expression of texts that end with the first one.</summary>
internal sealed class TriggerMode(Machine machine, TriggerPart part, Continuation then) : Mode
{
    public override Cursor Step(in Cursor at, byte b)
    {
        var e = machine.Pool.Next(at.Value, b);
        return e == ExprPool.Empty ? default : machine.Pool.Nullable(e) && part.Triggers.Count > 0 ? machine.Start(then) : new Cursor(this, e);
    }

    public override bool CanEnd(in Cursor at) => !part.IsRequired;

    public override void Tokens(in Cursor at, List<(int Id, Cursor Next)> tokens)
    {
        foreach (var id in part.Tokens)
        {
            tokens.Add((id, machine.Start(then)));
        }
    }
}

/// <summary>Several cursors at the same time; the value numbers the set.</summary>
internal sealed class SetMode(Machine machine) : Mode
{
    private readonly List<Cursor[]> _sets = [];
    private readonly Dictionary<Cursor[], int> _ids = new(new SameMembers());

    public long Bytes { get; private set; }

    public ReadOnlySpan<Cursor> Members(int value) => _sets[value];

    public int Intern(Cursor[] members)
    {
        if (!_ids.TryGetValue(members, out var id))
        {
            id = _sets.Count;
            _sets.Add(members);
            _ids.Add(members, id);
            Bytes += 80 + (members.Length * 16);
        }

        return id;
    }

    public override Cursor Step(in Cursor at, byte b)
    {
        List<Cursor> next = [];
        foreach (var cursor in _sets[at.Value])
        {
            machine.Add(next, cursor.Step(b));
        }

        return machine.Union(next);
    }

    public override bool CanEnd(in Cursor at)
    {
        foreach (var cursor in _sets[at.Value])
        {
            if (cursor.CanEnd)
            {
                return true;
            }
        }

        return false;
    }

    public override int OnlyByte(in Cursor at)
    {
        var only = -1;
        foreach (var cursor in _sets[at.Value])
        {
            var b = cursor.Mode!.OnlyByte(cursor);
            if (b < 0 || (only >= 0 && only != b))
            {
                return -1;
            }

            only = b;
        }

        return only;
    }

    public override void Tokens(in Cursor at, List<(int Id, Cursor Next)> tokens)
    {
        foreach (var cursor in _sets[at.Value])
        {
            cursor.Mode!.Tokens(cursor, tokens);
        }
    }

    /// <summary>What one of them allows is allowed.</summary>
    public override void Fill(in Cursor at, MaskWalk walk)
    {
        foreach (var cursor in _sets[at.Value])
        {
            cursor.Mode!.Fill(cursor, walk);
        }
    }

    private sealed class SameMembers : IEqualityComparer<Cursor[]>
    {
        public bool Equals(Cursor[]? x, Cursor[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(Cursor[] members)
        {
            var hash = new HashCode();
            foreach (var member in members)
            {
                hash.Add(member);
            }

            return hash.ToHashCode();
        }
    }
}
