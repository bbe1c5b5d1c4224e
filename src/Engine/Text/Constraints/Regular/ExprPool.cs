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
