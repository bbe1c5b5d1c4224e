using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>The bytes that a text's states tell apart where tokens mostly lead: what only rare tokens come to would make many more classes, and is walked byte by byte.</summary>
internal sealed class Region(TextMode mode)
{
    private const int MaxStates = 24;
    private const int MaxClasses = 28;
    private const double MinWeight = 0.003;

    private readonly List<ByteClasses> _known = [];
    private readonly Dictionary<(ByteClasses, int), bool> _uniform = [];

    /// <summary>Classes for walks from a state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="all">What no state tells apart.</param>
    /// <param name="frequencies">How often each byte comes in tokens.</param>
    public ByteClasses ClassesFor(int state, ByteClasses all, double[] frequencies)
    {
        var merged = Merge(state, all, frequencies);
        foreach (var known in _known)
        {
            if (Refines(known.Map, all, merged))
            {
                return known;
            }
        }

        var map = new byte[256];
        for (var b = 0; b < 256; b++)
        {
            map[b] = (byte)merged[all.Map[b]];
        }

        var classes = ByteClasses.Of(map);
        _known.Add(classes);
        return classes;
    }

    /// <summary>Whether a state tells no bytes of a class apart.</summary>
    public bool IsUniform(int state, ByteClasses classes, ByteClasses all)
    {
        if (_uniform.TryGetValue((classes, state), out var uniform))
        {
            return uniform;
        }

        Span<int> targets = stackalloc int[classes.Members.Length];
        targets.Fill(int.MinValue);
        uniform = true;
        foreach (var b in all.Members)
        {
            if (!mode.OwnBytes[b])
            {
                continue;
            }

            var next = Math.Max(-1, mode.NextWide(state, b));
            ref var target = ref targets[classes.Map[b]];
            if (target != int.MinValue && target != next)
            {
                uniform = false;
                break;
            }

            target = next;
        }

        _uniform.Add((classes, state), uniform);
        mode.Program.Charge(48);
        return uniform;
    }

    private static bool Refines(byte[] map, ByteClasses all, int[] merged)
    {
        Span<int> image = stackalloc int[256];
        image.Fill(-1);
        for (var c = 0; c < merged.Length; c++)
        {
            ref var at = ref image[map[all.Members[c]]];
            if (at >= 0 && at != merged[c])
            {
                return false;
            }

            at = merged[c];
        }

        return true;
    }

    /// <summary>For each of all classes, the one that it becomes: heavier states first, as long as there are few.</summary>
    private int[] Merge(int start, ByteClasses all, double[] frequencies)
    {
        var own = mode.OwnBytes;
        var members = all.Members;
        var shares = new double[members.Length];
        for (var b = 0; b < 256; b++)
        {
            shares[all.Map[b]] += own[b] ? frequencies[b] : 0;
        }

        var merged = new int[members.Length];
        var next = new int[members.Length];
        Dictionary<int, double> open = new() { [start] = 1 };
        HashSet<int> done = [];
        Dictionary<(int, int), int> split = [];
        for (var n = 0; n < MaxStates && open.Count > 0; n++)
        {
            var (state, weight) = open.MaxBy(s => s.Value);
            if (weight < MinWeight)
            {
                break;
            }

            open.Remove(state);
            done.Add(state);
            split.Clear();
            for (var c = 0; c < members.Length; c++)
            {
                // Bytes that are not the text's own are in no token here, and speak for no other.
                var target = own[members[c]] ? Math.Max(-1, mode.NextWide(state, members[c])) : -2;
                if (!split.TryGetValue((merged[c], target), out var id))
                {
                    split.Add((merged[c], target), id = split.Count);
                }

                next[c] = id;
                if (target >= 0 && !done.Contains(target))
                {
                    open[target] = open.GetValueOrDefault(target) + (weight * shares[c]);
                }
            }

            if (split.Count <= MaxClasses || n == 0)
            {
                (merged, next) = (next, merged);
            }
        }

        return merged;
    }
}
