using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Tokens as a trie over classes of bytes in place of bytes: an automaton that never tells the bytes of a class apart walks a few thousand nodes of it in place of the whole vocabulary. Laid out as <see cref="TokenTrie"/>. Immutable.</summary>
internal sealed class ClassTrie
{
    private const int MaxNodes = 60_000;
    private const int MinDense = 768;

    private readonly int[] _first = [0];
    private readonly int[] _tokens = [];
    private readonly Dictionary<int, uint[]> _dense = [];

    /// <summary>A byte of the class that leads to a node.</summary>
    public readonly byte[] Label = [];
    /// <summary>Index behind a node's subtree.</summary>
    public readonly int[] End = [];
    /// <summary>Classes before the label.</summary>
    public readonly ushort[] Depth = [];
    /// <summary>Characters begun, with the label.</summary>
    public readonly ushort[] Characters = [];

    public ClassTrie(TokenTrie source, ByteClasses classes, int maskWords)
    {
        var width = classes.Members.Length;
        var map = classes.Map;
        var children = new int[width * 1024];
        var count = 1;
        var nodes = new int[source.Count];
        Span<int> path = stackalloc int[source.MaxDepth + 1];
        path.Clear();
        for (var i = 0; i < nodes.Length; i++)
        {
            var depth = source.Depth[i];
            var at = (path[depth] * width) + map[source.Label[i]];
            var child = children[at];
            if (child == 0)
            {
                if (count == MaxNodes)
                {
                    // Not much would be won.
                    return;
                }

                children[at] = child = count++;
                if (count * width > children.Length)
                {
                    Array.Resize(ref children, 2 * children.Length);
                }
            }

            path[depth + 1] = child;
            nodes[i] = child;
        }

        (Label, End, Depth, Characters) = (new byte[count - 1], new int[count - 1], new ushort[count - 1], new ushort[count - 1]);
        var places = new int[count];
        Lay(children, classes.Members, places);

        _first = new int[count];
        for (var i = 0; i < nodes.Length; i++)
        {
            nodes[i] = places[nodes[i]];
            _first[nodes[i] + 1] += source.First[i + 1] - source.First[i];
        }

        for (var i = 1; i < count; i++)
        {
            _first[i] += _first[i - 1];
        }

        _tokens = new int[source.Tokens.Length];
        var next = _first[..^1];
        for (var i = 0; i < nodes.Length; i++)
        {
            for (var t = source.First[i]; t < source.First[i + 1]; t++)
            {
                _tokens[next[nodes[i]]++] = source.Tokens[t];
            }
        }

        for (var node = 0; node < count - 1; node++)
        {
            if (_first[node + 1] - _first[node] >= MinDense)
            {
                var mask = new uint[maskWords];
                foreach (var id in _tokens.AsSpan(_first[node]..(_first[node + 1])))
                {
                    mask[id >> 5] |= 1u << id;
                }

                _dense.Add(node, mask);
            }
        }

        Bytes = (_first.Length * 17L) + (_tokens.Length * 4L) + (_dense.Count * (maskWords + 16L) * 4);
    }

    public int Count => Label.Length;

    /// <summary>Bytes held, about.</summary>
    public long Bytes { get; }

    /// <summary>Tokens that go on behind a node.</summary>
    public ReadOnlySpan<int> TokensBelow(int node) => _tokens.AsSpan(_first[node + 1].._first[End[node]]);

    /// <summary>Adds the tokens of a node to a mask.</summary>
    public void AllowAt(int node, uint[] mask)
    {
        var (from, to) = (_first[node], _first[node + 1]);
        if (to - from >= MinDense)
        {
            MaskWords.Or(mask, _dense[node]);
            return;
        }

        for (var t = from; t < to; t++)
        {
            var id = _tokens[t];
            mask[id >> 5] |= 1u << id;
        }
    }

    /// <summary>Puts the nodes in preorder.</summary>
    private void Lay(int[] children, byte[] members, int[] places)
    {
        var width = members.Length;
        List<(int Node, int Class, int Place)> open = [(0, 0, -1)];
        var at = 0;
        while (open.Count > 0)
        {
            var (node, next, place) = open[^1];
            while (next < width && children[(node * width) + next] == 0)
            {
                next++;
            }

            if (next == width)
            {
                open.RemoveAt(open.Count - 1);
                if (place >= 0)
                {
                    End[place] = at;
                }

                continue;
            }

            open[^1] = (node, next + 1, place);
            var child = children[(node * width) + next];
            var b = members[next];
            places[child] = at;
            Label[at] = b;
            Depth[at] = (ushort)(open.Count - 1);
            Characters[at] = (ushort)((place < 0 ? 0 : Characters[place]) + (b is >= 0x80 and <= 0xBF ? 0 : 1));
            open.Add((child, 0, at));
            at++;
        }
    }
}
