namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>Bytes that some expressions, and whatever they become, never tell apart. Equal partitions are equal.</summary>
internal sealed class ByteClasses : IEquatable<ByteClasses>
{
    private ByteClasses(byte[] map, byte[] members)
    {
        (Map, Members) = (map, members);
    }

    /// <summary>Class of each byte.</summary>
    public byte[] Map { get; }

    /// <summary>A byte of each class.</summary>
    public byte[] Members { get; }

    /// <param name="map">Class of each byte, numbered from zero without gaps.</param>
    public static ByteClasses Of(byte[] map)
    {
        var members = new byte[map.Max() + 1];
        for (var b = 255; b >= 0; b--)
        {
            members[map[b]] = (byte)b;
        }

        // Equal partitions have equal numbers: those in the order of their first bytes.
        byte[] order = [.. members.Order()];
        return new ByteClasses([.. map.Select(c => (byte)Array.IndexOf(order, members[c]))], order);
    }

    /// <param name="branches">Each as (first, last, target) triples, ascending and apart.</param>
    public static ByteClasses Of(IEnumerable<int[]> branches)
    {
        int[][] lists = [.. branches];
        Span<bool> cuts = stackalloc bool[257];
        cuts[0] = true;
        foreach (var ranges in lists)
        {
            for (var i = 0; i < ranges.Length; i += 3)
            {
                cuts[ranges[i]] = cuts[ranges[i + 1] + 1] = true;
            }
        }

        List<int> starts = [];
        for (var b = 0; b < 256; b++)
        {
            if (cuts[b])
            {
                starts.Add(b);
            }
        }

        // All in one class, then what any branch tells apart is apart.
        var classes = new int[starts.Count];
        Dictionary<(int, int), int> split = [];
        foreach (var ranges in lists)
        {
            split.Clear();
            for (int i = 0, at = 0; i < classes.Length; i++)
            {
                while (at < ranges.Length && ranges[at + 1] < starts[i])
                {
                    at += 3;
                }

                var target = at < ranges.Length && ranges[at] <= starts[i] ? ranges[at + 2] : -1;
                if (!split.TryGetValue((classes[i], target), out var id))
                {
                    split.Add((classes[i], target), id = split.Count);
                }

                classes[i] = id;
            }
        }

        List<byte> members = [];
        Dictionary<int, byte> ids = [];
        var map = new byte[256];
        for (var i = 0; i < classes.Length; i++)
        {
            if (!ids.TryGetValue(classes[i], out var id))
            {
                ids.Add(classes[i], id = (byte)members.Count);
                members.Add((byte)starts[i]);
            }

            map.AsSpan(starts[i], (i + 1 < starts.Count ? starts[i + 1] : 256) - starts[i]).Fill(id);
        }

        return new ByteClasses(map, [.. members]);
    }

    public bool Equals(ByteClasses? other) => other is not null && Map.AsSpan().SequenceEqual(other.Map);

    public override bool Equals(object? obj) => Equals(obj as ByteClasses);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Map);
        return hash.ToHashCode();
    }
}
