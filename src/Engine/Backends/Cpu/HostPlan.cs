namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Expert plans in host memory.</summary>
internal static unsafe class HostPlan
{
    /// <summary>Fills tokens, places and starts from the experts that each token has chosen: a counting sort, which keeps tokens in order.</summary>
    /// <param name="ids"><c>[rows, chosen]</c></param>
    /// <param name="rows">Tokens.</param>
    /// <param name="routing">Says how many experts there are and how many are chosen.</param>
    /// <param name="plan">What is filled; its weights are left alone.</param>
    public static void Arrange(int* ids, int rows, Routing routing, ExpertPlan plan)
    {
        int* tokens = (int*)plan.Tokens.Address, places = (int*)plan.Places.Address, starts = (int*)plan.Starts.Address;
        var count = rows * routing.Chosen;
        new Span<int>(starts, routing.Experts + 1).Clear();
        for (var i = 0; i < count; i++)
        {
            starts[ids[i] + 1]++;
        }

        for (var e = 0; e < routing.Experts; e++)
        {
            starts[e + 1] += starts[e];
        }

        for (var i = 0; i < count; i++)
        {
            places[i] = starts[ids[i]]++;
            tokens[places[i]] = i / routing.Chosen;
        }

        // Each start has moved on to the next one's: move them back.
        for (var e = routing.Experts; e > 0; e--)
        {
            starts[e] = starts[e - 1];
        }

        starts[0] = 0;
    }
}
