namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>Whether anything matches.</content>
internal sealed partial class ExprPool
{
    private const int MaxEmptinessSteps = 20_000;

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
}
