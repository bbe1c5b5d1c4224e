using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>States of a scalar's text under several schemas at once: one expression for all that must be true together, and one each for the others.</summary>
internal sealed class TextState
{
    private readonly ExprPool _pool;
    private readonly Context _context;
    private readonly int[] _others;
    private readonly int[] _all;
    private ByteClasses? _classes;
    private readonly List<int[]> _vectors = [];
    private readonly List<int[]?> _rows = [];
    private readonly Dictionary<VectorKey, int> _ids = [];

    public TextState(ExprPool pool, Context context, int[] goals, int any)
    {
        (_pool, _context) = (pool, context);
        List<int> must = [];
        List<int> others = [];
        for (var i = 0; i < goals.Length; i++)
        {
            if (context.Requirement.Allows(Bits.Of(i)))
            {
                others.Add(i);
            }
            else
            {
                must.Add(goals[i]);
            }
        }

        _others = [.. others];
        Must = pool.And([any, .. must]);
        // Where a character begins and ends is told apart too: that is how tokens are counted.
        _all = [Must, pool.AnyText, .. others.Select(i => goals[i])];
        Start = IsSimple ? (pool.IsEmpty(Must) ? -1 : Must) : Intern([Must, .. others.Select(i => goals[i])]);
    }

    /// <summary>One expression says it all; states are expressions.</summary>
    public bool IsSimple => _others.Length == 0;

    public int Must { get; }

    /// <summary>-1 where nothing is allowed.</summary>
    public int Start { get; }

    /// <summary>Bytes that no state tells apart.</summary>
    public ByteClasses Classes => _classes ??= _pool.ClassesOf(_all);

    public int Next(int state, byte b)
    {
        if (IsSimple)
        {
            var e = _pool.Next(state, b);
            return e == ExprPool.Empty ? -1 : e;
        }

        var row = _rows[state];
        if (row is null)
        {
            _rows[state] = row = new int[256];
            Array.Fill(row, int.MinValue);
            _context.Program.Charge(1_040);
        }

        var next = row[b];
        if (next == int.MinValue)
        {
            var vector = _vectors[state];
            var after = new int[vector.Length];
            for (var i = 0; i < after.Length; i++)
            {
                after[i] = _pool.Next(vector[i], b);
            }

            row[b] = next = Intern(after);
        }

        return next;
    }

    /// <summary>Goals that are false of the text as it is; false where it may not end.</summary>
    public bool CanClose(int state, out Bits failed)
    {
        failed = Bits.None;
        if (IsSimple)
        {
            return _pool.Nullable(state);
        }

        var vector = _vectors[state];
        if (!_pool.Nullable(vector[0]))
        {
            return false;
        }

        for (var i = 0; i < _others.Length; i++)
        {
            if (!_pool.Nullable(vector[i + 1]))
            {
                failed = failed.With(_others[i]);
            }
        }

        return _context.Requirement.Accepts(failed);
    }

    /// <summary>The only state's expressions.</summary>
    public ReadOnlySpan<int> Expressions(int state) => IsSimple ? new int[] { state } : _vectors[state];

    /// <summary>Whether, with goals that are not false yet, an outcome can be reached that is accepted.</summary>
    private bool CanFail(int[] vector, Bits failed)
    {
        const int maxOpen = 4;
        if (!_context.Requirement.Allows(failed))
        {
            return false;
        }

        List<int> open = [];
        for (var i = 0; i < _others.Length; i++)
        {
            if (!failed[_others[i]] && !_pool.IsEmpty(_pool.And(vector[0], _pool.Not(vector[i + 1]))))
            {
                open.Add(_others[i]);
            }
        }

        for (var set = 1; set < 1 << Math.Min(open.Count, maxOpen); set++)
        {
            var also = failed;
            for (var i = 0; i < Math.Min(open.Count, maxOpen); i++)
            {
                also = ((set >> i) & 1) != 0 ? also.With(open[i]) : also;
            }

            if (_context.Requirement.Accepts(also))
            {
                return true;
            }
        }

        return open.Count > maxOpen;
    }

    private int Intern(int[] vector)
    {
        if (_pool.IsEmpty(vector[0]))
        {
            return -1;
        }

        var failed = Bits.None;
        for (var i = 0; i < _others.Length; i++)
        {
            if (_pool.IsEmpty(vector[i + 1]))
            {
                vector[i + 1] = ExprPool.Empty;
                failed = failed.With(_others[i]);
            }
        }

        if (!_context.Requirement.Accepts(failed) && !CanFail(vector, failed))
        {
            return -1;
        }

        var key = new VectorKey(vector);
        if (!_ids.TryGetValue(key, out var id))
        {
            _ids.Add(key, id = _vectors.Count);
            _vectors.Add(vector);
            _rows.Add(null);
            _context.Program.Charge(100);
        }

        return id;
    }
}

/// <summary>An array of numbers, equal to those with the same members.</summary>
internal readonly struct VectorKey(int[] values) : IEquatable<VectorKey>
{
    private readonly int[] _values = values;

    public bool Equals(VectorKey other) => _values.AsSpan().SequenceEqual(other._values);

    public override bool Equals(object? obj) => obj is VectorKey other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var value in _values)
        {
            hash.Add(value);
        }

        return hash.ToHashCode();
    }
}
