namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Whether an object in a state can still be completed, by trying which keys may follow: asked only where an upper bound on members, or something that must be false, can make a choice of keys a dead end.
/// What takes too long to find out counts as possible.</summary>
internal sealed class ObjectSearch(Context context)
{
    private const int MaxTries = 3_000;
    private const int MaxDepth = 64;
    private const int MaxGoals = 4;

    private readonly Dictionary<ObjectState, bool> _known = [];
    private readonly ObjectPlan _plan = context.Locus.Object;
    private int _tries;

    public bool CanFinish(ObjectState state)
    {
        _tries = 0;
        return Finishes(state, 0) ?? true;
    }

    /// <summary>Null where it took too long.</summary>
    private bool? Finishes(ObjectState state, int depth)
    {
        if (_known.TryGetValue(state, out var known))
        {
            return known;
        }

        Deep.Check();
        if (!context.Requirement.Allows(_plan.Failed(state, closed: false, Bits.None, full: false)))
        {
            return Know(state, false);
        }

        if (context.Requirement.Accepts(_plan.Failed(state, closed: true, Bits.None, full: true)))
        {
            return Know(state, true);
        }

        var complete = true;
        foreach (var kind in _plan.KindsLeft(state))
        {
            var entered = _plan.Enter(state, kind, kind.Name < 0 && _plan.TracksKeys ? $"\u0002{depth}" : "");
            var outcomes = Outcomes(kind, kind.Never, out var all);
            complete &= all;
            foreach (var failed in outcomes)
            {
                if (++_tries > MaxTries || depth >= MaxDepth)
                {
                    return null;
                }

                var next = ObjectPlan.After(entered, kind, failed);
                if (next == state)
                {
                    continue;
                }

                switch (Finishes(next, depth + 1))
                {
                    case true:
                        return Know(state, true);
                    case null:
                        complete = false;
                        break;
                }

                if (_tries > MaxTries)
                {
                    return null;
                }
            }
        }

        return complete && _plan.KnowsKinds ? Know(state, false) : null;
    }

    /// <summary>What may turn out false of a value: any of its schemas; where they are many, none, each or all.</summary>
    /// <param name="kind">Of its key.</param>
    /// <param name="least">What is false in any case.</param>
    /// <param name="complete">Whether there is nothing else.</param>
    public static IEnumerable<Bits> Outcomes(KeyClass kind, Bits least, out bool complete)
    {
        var count = kind.Locus.Goals.Length;
        complete = count <= MaxGoals;
        return complete ? Subsets(least, count) : Few(least, count);
    }

    private static IEnumerable<Bits> Subsets(Bits least, int count)
    {
        for (var set = 0; set < 1 << count; set++)
        {
            var failed = least;
            for (var i = 0; i < count; i++)
            {
                failed = ((set >> i) & 1) != 0 ? failed.With(i) : failed;
            }

            yield return failed;
        }
    }

    private static IEnumerable<Bits> Few(Bits least, int count)
    {
        yield return least;
        var all = least;
        for (var i = 0; i < count; i++)
        {
            yield return least.With(i);
            all = all.With(i);
        }

        yield return all;
    }

    private bool Know(ObjectState state, bool finishes)
    {
        _known.Add(state, finishes);
        context.Program.Charge(120 + (2 * state.Others.Length));
        return finishes;
    }
}
