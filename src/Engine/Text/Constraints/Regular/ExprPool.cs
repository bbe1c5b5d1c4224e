using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>Regular languages over bytes as interned expressions: equal expressions have equal numbers. Intersection, complement and counted repetition are expressions like the others; an automaton comes out of
/// them by derivatives, a state at a time, only where somebody walks. Not for concurrent use.</summary>
internal sealed partial class ExprPool
{
    /// <summary>Nothing matches.</summary>
    public const int Empty = 0;
    /// <summary>The empty text.</summary>
    public const int Epsilon = 1;
    /// <summary>Every sequence of bytes.</summary>
    public const int All = 2;
    public const int Infinite = int.MaxValue;

    private const int MaxEmptinessSteps = 20_000;

    private readonly Dictionary<Key, int> _ids = [];
    private readonly Dictionary<NumberLeaf, int> _leafIds = [];
    private readonly Dictionary<MapKey, byte[]> _maps = [];
    private readonly List<NumberLeaf> _leaves = [];
    private readonly int _maxNodes;
    private Node[] _nodes = new Node[64];
    private Row?[] _rows = new Row?[64];
    private int _count;

    /// <param name="maxNodes">Expressions the pool may hold; one more is <see cref="GrammarException"/> (Limit).</param>
    public ExprPool(int maxNodes = 400_000)
    {
        _maxNodes = maxNodes;
        Add(Kind.Empty, 0, 0, 0, null, false, Flags.None);
        Add(Kind.Epsilon, 0, 0, 0, null, true, Flags.Aligned);
        Add(Kind.Not, Empty, 0, 0, null, true, Flags.Searched);
        _nodes[All].Live = 1;
        AnyChar = Utf8Classes.Build(this, [(0, 0x10FFFF)]);
        AnyText = Repeat(AnyChar, 0, Infinite);
    }

    private enum Kind : byte { Empty, Epsilon, Branch, Concat, Alt, And, Not, Repeat, Leaf }

    [Flags]
    private enum Flags : byte
    {
        None = 0,
        /// <summary>Whether something matches cannot be told from the form.</summary>
        Searched = 1,
        /// <summary>Starts where a character starts, and all of it is characters.</summary>
        Aligned = 2,
    }

    /// <summary>One character.</summary>
    public int AnyChar { get; }

    /// <summary>Any text: well-formed UTF-8.</summary>
    public int AnyText { get; }

    public int Count => _count;

    /// <summary>Bytes held, about.</summary>
    public long Bytes { get; private set; }

    public bool Nullable(int e) => _nodes[e].Nullable;

    /// <summary>Length bounds, where the expression is just so many characters.</summary>
    public bool IsAnyChars(int e, out int min, out int max)
    {
        ref var node = ref _nodes[e];
        (min, max) = (node.B, node.C);
        return node.Kind == Kind.Repeat && node.A == AnyChar;
    }

    // ---- construction ----

    /// <summary>Single bytes leading to expressions: (first, last, target) triples, ascending and apart.</summary>
    public int Branch(int[] ranges)
    {
        var merged = Merge(ranges);
        if (merged.Length == 0)
        {
            return Empty;
        }

        var aligned = true;
        var searched = false;
        for (var i = 0; i < merged.Length; i += 3)
        {
            aligned &= merged[i] is < 0x80 or > 0xBF;
            searched |= (_nodes[merged[i + 2]].Flags & Flags.Searched) != Flags.None;
        }

        return Intern(Kind.Branch, 0, 0, 0, merged, false, (aligned ? Flags.Aligned : Flags.None) | (searched ? Flags.Searched : Flags.None));
    }

    public int Byte(byte value) => Branch([value, value, Epsilon]);

    public int Literal(ReadOnlySpan<byte> bytes)
    {
        var e = Epsilon;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            e = Branch([bytes[i], bytes[i], e]);
        }

        return e;
    }

    /// <summary>One of several texts, as a trie with shared ends.</summary>
    public int Literals(IReadOnlyList<byte[]> texts)
    {
        var sorted = texts.ToArray();
        Array.Sort(sorted, static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return Trie(sorted, 0, sorted.Length, 0);
    }

    private int Trie(byte[][] sorted, int from, int to, int depth)
    {
        Deep.Check();
        if (to - from == 1)
        {
            return Literal(sorted[from].AsSpan(depth));
        }

        // What all have in common needs no recursion.
        var common = depth;
        while (common < sorted[from].Length && common < sorted[to - 1].Length && sorted[from][common] == sorted[to - 1][common])
        {
            common++;
        }

        var ends = false;
        var i = from;
        while (i < to && sorted[i].Length == common)
        {
            ends = true;
            i++;
        }

        List<int> ranges = [];
        while (i < to)
        {
            var b = sorted[i][common];
            var next = i;
            while (next < to && sorted[next][common] == b)
            {
                next++;
            }

            ranges.AddRange([b, b, Trie(sorted, i, next, common + 1)]);
            i = next;
        }

        var e = ranges.Count == 0 ? Empty : Branch([.. ranges]);
        e = ends ? Alt(Epsilon, e) : e;
        for (var at = common - 1; at >= depth; at--)
        {
            e = Branch([sorted[from][at], sorted[from][at], e]);
        }

        return e;
    }

    public int Leaf(NumberLeaf leaf)
    {
        if (leaf.Constant is { } constant)
        {
            return constant ? All : Empty;
        }

        if (_leafIds.TryGetValue(leaf, out var id))
        {
            return id;
        }

        id = Add(Kind.Leaf, _leaves.Count, 0, 0, null, leaf.Nullable, Flags.Searched);
        _leaves.Add(leaf);
        _leafIds.Add(leaf, id);
        Bytes += 120;
        return id;
    }

    public int Concat(params ReadOnlySpan<int> parts)
    {
        var e = Epsilon;
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            e = Concat(parts[i], e);
        }

        return e;
    }

    public int Concat(int a, int b)
    {
        if (a == Empty || b == Empty)
        {
            return Empty;
        }

        if (a == Epsilon)
        {
            return b;
        }

        if (b == Epsilon || (a == All && b == All))
        {
            return a;
        }

        ref var node = ref _nodes[a];
        if (node.Kind == Kind.Concat)
        {
            Deep.Check();
            var (first, rest) = (node.A, node.B);
            return Concat(first, Concat(rest, b));
        }

        if (node.Kind == Kind.Repeat)
        {
            // x{2,5} x{1,} is x{3,}.
            ref var after = ref _nodes[b];
            if (after.Kind == Kind.Repeat && after.A == node.A)
            {
                return Repeat(node.A, SaturatingAdd(node.B, after.B), SaturatingAdd(node.C, after.C));
            }
        }

        var flags = (_nodes[a].Flags & _nodes[b].Flags & Flags.Aligned) | ((_nodes[a].Flags | _nodes[b].Flags) & Flags.Searched);
        return Intern(Kind.Concat, a, b, 0, null, _nodes[a].Nullable && _nodes[b].Nullable, flags);
    }

    public int Alt(int a, int b) => a == b || b == Empty ? a : a == Empty ? b : Alt([a, b]);

    public int Alt(ReadOnlySpan<int> parts)
    {
        List<int> items = [];
        Flatten(parts, Kind.Alt, items);
        if (items.Contains(All))
        {
            return All;
        }

        items.Sort();
        Distinct(items);
        items.Remove(Empty);
        if (items.Contains(AnyText) && AnyText != 0)
        {
            items.RemoveAll(e => e != AnyText && (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned);
        }

        if (items.Count > 1)
        {
            MergeRepeats(items);
        }

        if (items.Count > 1 && items[0] == Epsilon && items.Skip(1).Any(e => _nodes[e].Nullable))
        {
            items.RemoveAt(0);
        }

        if (items.Count < 2)
        {
            return items.Count == 0 ? Empty : items[0];
        }

        bool nullable = false, searched = false, aligned = true;
        foreach (var e in items)
        {
            nullable |= _nodes[e].Nullable;
            searched |= (_nodes[e].Flags & Flags.Searched) != Flags.None;
            aligned &= (_nodes[e].Flags & Flags.Aligned) != Flags.None;
            if (searched && Complement(items, e))
            {
                return All;
            }
        }

        return Intern(Kind.Alt, 0, 0, 0, [.. items], nullable, (searched ? Flags.Searched : Flags.None) | (aligned ? Flags.Aligned : Flags.None));
    }

    public int And(int a, int b) => a == b || b == All ? a : a == All ? b : And([a, b]);

    public int And(ReadOnlySpan<int> parts)
    {
        List<int> items = [];
        Flatten(parts, Kind.And, items);
        items.Sort();
        Distinct(items);
        if (items.Contains(Empty))
        {
            return Empty;
        }

        items.Remove(All);
        if (items.Contains(Epsilon))
        {
            return items.TrueForAll(e => _nodes[e].Nullable) ? Epsilon : Empty;
        }

        if (items.Count > 1 && items.Contains(AnyText) && items.Exists(e => e != AnyText && (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned))
        {
            items.Remove(AnyText);
        }

        // Lengths meet in one.
        var lengths = items.FindAll(e => _nodes[e].Kind == Kind.Repeat && _nodes[e].A == AnyChar);
        if (lengths.Count > 1)
        {
            int min = 0, max = Infinite;
            foreach (var e in lengths)
            {
                (min, max) = (Math.Max(min, _nodes[e].B), Math.Min(max, _nodes[e].C));
                items.Remove(e);
            }

            if (min > max)
            {
                return Empty;
            }

            items.Add(Repeat(AnyChar, min, max));
            items.Sort();
        }

        if (items.Count < 2)
        {
            return items.Count == 0 ? All : items[0];
        }

        var (nullable, aligned) = (true, false);
        foreach (var e in items)
        {
            nullable &= _nodes[e].Nullable;
            aligned |= (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned;
            if (Complement(items, e))
            {
                return Empty;
            }
        }

        return Intern(Kind.And, 0, 0, 0, [.. items], nullable, Flags.Searched | (aligned ? Flags.Aligned : Flags.None));
    }

    public int Not(int e) => e == Empty ? All : _nodes[e].Kind == Kind.Not ? _nodes[e].A : Intern(Kind.Not, e, 0, 0, null, !_nodes[e].Nullable, Flags.Searched);

    public int Optional(int e) => Alt(Epsilon, e);

    public int Star(int e) => Repeat(e, 0, Infinite);

    public int Repeat(int e, int min, int max)
    {
        if (min > max)
        {
            return Empty;
        }

        if (e == Empty)
        {
            return min == 0 ? Epsilon : Empty;
        }

        if (e == Epsilon || max == 0)
        {
            return Epsilon;
        }

        if (min == 1 && max == 1)
        {
            return e;
        }

        ref var node = ref _nodes[e];
        if (node.Nullable)
        {
            min = 0;
        }

        if (node.Kind == Kind.Repeat && node.B <= 1 && node.C == Infinite)
        {
            // (x+){2,5} and such.
            return Repeat(node.A, node.B == 0 ? 0 : min, Infinite);
        }

        return e == All ? All : Intern(Kind.Repeat, e, min, max, null, min == 0 || node.Nullable, node.Flags & (Flags.Searched | Flags.Aligned));
    }

    // ---- walking ----

    /// <summary>The language after a byte; <see cref="Empty"/> where nothing can match any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(int e, byte b)
    {
        var row = _rows[e] ?? MakeRow(e);
        return row.Targets[row.Map[b]];
    }

    /// <summary>The row of a state for walks: class of each byte, and target of each class.</summary>
    public Row RowOf(int e) => _rows[e] ?? MakeRow(e);

    /// <summary>The only byte that can come, where the text cannot end here; else -1.</summary>
    public int OnlyByte(int e)
    {
        if (_nodes[e].Nullable)
        {
            return -1;
        }

        var only = -1;
        foreach (var (lo, hi, _) in LiveRanges(e))
        {
            if (only >= 0 || lo != hi)
            {
                return -1;
            }

            only = lo;
        }

        return only;
    }

    /// <summary>Where bytes lead that keep a match possible.</summary>
    public IEnumerable<(int Lo, int Hi, int Target)> LiveRanges(int e)
    {
        var ranges = Derive(e);
        for (var i = 0; i < ranges.Length; i += 3)
        {
            if (!IsEmpty(ranges[i + 2]))
            {
                yield return (ranges[i], ranges[i + 1], ranges[i + 2]);
            }
        }
    }

    /// <summary>True where nothing matches. An expression with complements or intersections is searched; where that takes too long it counts as not empty.</summary>
    public bool IsEmpty(int e)
    {
        ref var node = ref _nodes[e];
        if ((node.Flags & Flags.Searched) == Flags.None)
        {
            return e == Empty;
        }

        return node.Live != 0 ? node.Live < 0 : !Search(e);
    }

    private bool Search(int start)
    {
        // Depth first with the path at hand: whatever leads to a match is alive as a whole.
        List<(int Expr, int[] Ranges, int At)> path = [];
        HashSet<int> seen = [start];
        path.Add((start, _nodes[start].Nullable ? [] : Derive(start), 0));
        var found = _nodes[start].Nullable;
        var steps = 0;
        while (!found && path.Count > 0)
        {
            var (expr, ranges, at) = path[^1];
            if (at == ranges.Length)
            {
                path.RemoveAt(path.Count - 1);
                continue;
            }

            path[^1] = (expr, ranges, at + 3);
            var next = ranges[at + 2];
            ref var node = ref _nodes[next];
            if (node.Live > 0 || node.Nullable || ((node.Flags & Flags.Searched) == Flags.None && next != Empty))
            {
                node.Live = 1;
                found = true;
            }
            else if (node.Live == 0 && next != Empty && seen.Add(next))
            {
                if (++steps > MaxEmptinessSteps)
                {
                    found = true;
                    break;
                }

                path.Add((next, Derive(next), 0));
            }
        }

        if (found)
        {
            foreach (var (expr, _, _) in path)
            {
                _nodes[expr].Live = 1;
            }

            return true;
        }

        foreach (var e in seen)
        {
            _nodes[e].Live = -1;
        }

        return false;
    }

    private Row MakeRow(int e)
    {
        var ranges = Derive(e);
        List<int> targets = [Empty];
        var map = new byte[256];
        for (var i = 0; i < ranges.Length; i += 3)
        {
            var target = ranges[i + 2];
            if (IsEmpty(target))
            {
                continue;
            }

            var index = targets.IndexOf(target);
            if (index < 0)
            {
                index = targets.Count;
                targets.Add(target);
            }

            map.AsSpan(ranges[i]..(ranges[i + 1] + 1)).Fill((byte)index);
        }

        var key = new MapKey(map);
        if (!_maps.TryGetValue(key, out var shared))
        {
            _maps.Add(key, shared = map);
            Bytes += 340;
        }

        Bytes += 72 + (targets.Count * 4);
        return _rows[e] = new Row(shared, [.. targets]);
    }

    /// <summary>All derivatives at once: (first byte, last byte, expression), ascending; bytes without an entry lead to <see cref="Empty"/>.</summary>
    public int[] Derive(int e)
    {
        if (_nodes[e].Derived is { } known)
        {
            return known;
        }

        Deep.Check();
        var node = _nodes[e];
        var ranges = node.Kind switch
        {
            Kind.Branch => node.Items!,
            Kind.Concat => DeriveConcat(node.A, node.B),
            Kind.Alt => Combine([.. node.Items!.Select(Derive)], isAnd: false),
            Kind.And => Combine([.. node.Items!.Select(Derive)], isAnd: true),
            Kind.Not => DeriveNot(node.A),
            Kind.Repeat => DeriveRepeat(node),
            Kind.Leaf => DeriveLeaf(_leaves[node.A]),
            _ => [],
        };
        if (node.Kind != Kind.Branch)
        {
            ranges = Merge(ranges);
            Bytes += 24 + (ranges.Length * 4);
        }

        _nodes[e].Derived = ranges;
        return ranges;
    }

    private int[] DeriveConcat(int a, int b)
    {
        var first = (int[])Derive(a).Clone();
        for (var i = 2; i < first.Length; i += 3)
        {
            first[i] = Concat(first[i], b);
        }

        return _nodes[a].Nullable ? Combine([first, Derive(b)], isAnd: false) : first;
    }

    private int[] DeriveRepeat(Node node)
    {
        var rest = Repeat(node.A, Math.Max(0, node.B - 1), node.C == Infinite ? Infinite : node.C - 1);
        var ranges = (int[])Derive(node.A).Clone();
        for (var i = 2; i < ranges.Length; i += 3)
        {
            ranges[i] = Concat(ranges[i], rest);
        }

        return ranges;
    }

    private int[] DeriveNot(int e)
    {
        var inner = Derive(e);
        List<int> ranges = [];
        var at = 0;
        for (var i = 0; i < inner.Length; i += 3)
        {
            if (inner[i] > at)
            {
                ranges.AddRange([at, inner[i] - 1, All]);
            }

            ranges.AddRange([inner[i], inner[i + 1], Not(inner[i + 2])]);
            at = inner[i + 1] + 1;
        }

        if (at < 256)
        {
            ranges.AddRange([at, 255, All]);
        }

        return [.. ranges];
    }

    private int[] DeriveLeaf(NumberLeaf leaf)
    {
        List<int> ranges = [];
        if (leaf.Next('.') is { } point)
        {
            ranges.AddRange(['.', '.', Leaf(point)]);
        }

        for (var digit = '0'; digit <= '9'; digit++)
        {
            if (leaf.Next(digit) is { } next)
            {
                ranges.AddRange([digit, digit, Leaf(next)]);
            }
        }

        return [.. ranges];
    }

    private int[] Combine(int[][] lists, bool isAnd)
    {
        if (lists.Length == 1)
        {
            return lists[0];
        }

        Span<bool> cuts = stackalloc bool[257];
        foreach (var list in lists)
        {
            for (var i = 0; i < list.Length; i += 3)
            {
                cuts[list[i]] = cuts[list[i + 1] + 1] = true;
            }
        }

        cuts[0] = true;
        List<int> ranges = [];
        var at = new int[lists.Length];
        var targets = new int[lists.Length];
        for (var lo = 0; lo < 256;)
        {
            var hi = lo;
            while (hi < 255 && !cuts[hi + 1])
            {
                hi++;
            }

            var count = 0;
            for (var l = 0; l < lists.Length; l++)
            {
                var list = lists[l];
                while (at[l] < list.Length && list[at[l] + 1] < lo)
                {
                    at[l] += 3;
                }

                if (at[l] < list.Length && list[at[l]] <= lo)
                {
                    targets[count++] = list[at[l] + 2];
                }
            }

            var target = isAnd ? count == lists.Length ? And(targets.AsSpan(0, count)) : Empty : count == 0 ? Empty : count == 1 ? targets[0] : Alt(targets.AsSpan(0, count));
            if (target != Empty)
            {
                ranges.AddRange([lo, hi, target]);
            }

            lo = hi + 1;
        }

        return [.. ranges];
    }

    private static int[] Merge(int[] ranges)
    {
        List<int> merged = [];
        for (var i = 0; i < ranges.Length; i += 3)
        {
            if (ranges[i + 2] == Empty)
            {
                continue;
            }

            if (merged.Count > 0 && merged[^1] == ranges[i + 2] && merged[^2] == ranges[i] - 1)
            {
                merged[^2] = ranges[i + 1];
            }
            else
            {
                merged.AddRange([ranges[i], ranges[i + 1], ranges[i + 2]]);
            }
        }

        return merged.Count == ranges.Length ? ranges : [.. merged];
    }

    private void Flatten(ReadOnlySpan<int> parts, Kind kind, List<int> items)
    {
        foreach (var part in parts)
        {
            if (_nodes[part].Kind == kind)
            {
                items.AddRange(_nodes[part].Items!);
            }
            else
            {
                items.Add(part);
            }
        }
    }

    private static void Distinct(List<int> sorted)
    {
        var kept = 0;
        for (var i = 0; i < sorted.Count; i++)
        {
            if (kept == 0 || sorted[kept - 1] != sorted[i])
            {
                sorted[kept++] = sorted[i];
            }
        }

        sorted.RemoveRange(kept, sorted.Count - kept);
    }

    /// <summary>x{2,4}t | x{3,9}t is x{2,9}t: without this, two counted repetitions in a row have as many states as their product.</summary>
    private void MergeRepeats(List<int> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (!Counted(items[i], out var body, out var min, out var max, out var tail))
            {
                continue;
            }

            for (var j = i + 1; j < items.Count; j++)
            {
                if (Counted(items[j], out var body2, out var min2, out var max2, out var tail2) && body == body2 && tail == tail2
                    && min <= SaturatingAdd(max2, 1) && min2 <= SaturatingAdd(max, 1))
                {
                    (min, max) = (Math.Min(min, min2), Math.Max(max, max2));
                    items[i] = Concat(Repeat(body, min, max), tail);
                    items.RemoveAt(j);
                    j = i;
                }
            }
        }

        items.Sort();
        Distinct(items);
    }

    private bool Counted(int e, out int body, out int min, out int max, out int tail)
    {
        var node = _nodes[e];
        tail = Epsilon;
        if (node.Kind == Kind.Concat)
        {
            tail = node.B;
            node = _nodes[node.A];
        }

        (body, min, max) = (node.A, node.B, node.C);
        return node.Kind == Kind.Repeat;
    }

    private bool Complement(List<int> items, int e) => _nodes[e].Kind == Kind.Not && items.Contains(_nodes[e].A);

    private static int SaturatingAdd(int a, int b) => a > Infinite - b ? Infinite : a + b;

    private int Intern(Kind kind, int a, int b, int c, int[]? items, bool nullable, Flags flags)
    {
        var key = new Key(kind, a, b, c, items);
        if (_ids.TryGetValue(key, out var id))
        {
            return id;
        }

        id = Add(kind, a, b, c, items, nullable, flags);
        _ids.Add(key, id);
        return id;
    }

    private int Add(Kind kind, int a, int b, int c, int[]? items, bool nullable, Flags flags)
    {
        if (_count >= _maxNodes)
        {
            throw GrammarErrors.Limit($"The grammar needs more than {_maxNodes} states.");
        }

        if (_count == _nodes.Length)
        {
            Array.Resize(ref _nodes, 2 * _count);
            Array.Resize(ref _rows, 2 * _count);
        }

        _nodes[_count] = new Node { Kind = kind, A = a, B = b, C = c, Items = items, Nullable = nullable, Flags = flags };
        Bytes += 120 + (items is null ? 0 : 24 + (items.Length * 4));
        return _count++;
    }

    private struct Node
    {
        public int A;
        public int B;
        public int C;
        public int[]? Items;
        public int[]? Derived;
        public Kind Kind;
        public Flags Flags;
        public bool Nullable;
        /// <summary>1: something matches, -1: nothing does, 0: not known.</summary>
        public sbyte Live;
    }

    internal sealed class Row(byte[] map, int[] targets)
    {
        public readonly byte[] Map = map;
        public readonly int[] Targets = targets;
    }

    private readonly struct Key : IEquatable<Key>
    {
        private readonly Kind _kind;
        private readonly int _a;
        private readonly int _b;
        private readonly int _c;
        private readonly int[]? _items;
        private readonly int _hash;

        public Key(Kind kind, int a, int b, int c, int[]? items)
        {
            (_kind, _a, _b, _c, _items) = (kind, a, b, c, items);
            var hash = new HashCode();
            hash.Add((int)kind);
            hash.Add(a);
            hash.Add(b);
            hash.Add(c);
            foreach (var item in items ?? [])
            {
                hash.Add(item);
            }

            _hash = hash.ToHashCode();
        }

        public bool Equals(Key other) => _hash == other._hash && _kind == other._kind && _a == other._a && _b == other._b && _c == other._c && _items.AsSpan().SequenceEqual(other._items);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode() => _hash;
    }

    private readonly struct MapKey(byte[] map) : IEquatable<MapKey>
    {
        private readonly byte[] _map = map;

        public bool Equals(MapKey other) => _map.AsSpan().SequenceEqual(other._map);

        public override bool Equals(object? obj) => obj is MapKey other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            hash.AddBytes(_map);
            return hash.ToHashCode();
        }
    }
}
