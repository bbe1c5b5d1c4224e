namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Mixture of experts.</summary>
internal sealed unsafe partial class ReferenceBackend
{
    public void Route(Rows logits, Routing routing, ExpertPlan plan, int rows)
    {
        var ids = new int[rows * routing.Chosen];
        for (var row = 0; row < rows; row++)
        {
            var raw = Download(logits, row).ToArray().Select(v => (double)v).ToArray();
            var highest = raw.Max();
            var sum = raw.Sum(v => Math.Exp(v - highest));
            var scores = raw.Select(v => routing.Function == RouterFunction.Sigmoid ? 1 / (1 + Math.Exp(-v)) : Math.Exp(v - highest) / sum).ToArray();
            var candidates = scores.Select((s, e) => s + (routing.Correction is null ? 0 : Floats(routing.Correction)[e])).ToArray();
            var size = routing.Experts / routing.Groups;
            var groups = Best([.. candidates.Chunk(size).Select(g => g.OrderDescending().Take(routing.GroupBest).Sum())], routing.ChosenGroups);
            var chosen = Best([.. candidates.Select((c, e) => groups.Contains(e / size) ? c : double.NegativeInfinity)], routing.Chosen);
            var total = routing.Normalised ? chosen.Sum(e => scores[e]) + routing.Epsilon : 1;
            for (var c = 0; c < routing.Chosen; c++)
            {
                ids[(row * routing.Chosen) + c] = chosen[c];
                Download(plan.Weights, row)[c] = (float)(scores[chosen[c]] / total * routing.Scale * (routing.Factors is null ? 1 : Floats(routing.Factors)[chosen[c]]));
            }
        }

        fixed (int* pointer = ids)
        {
            HostPlan.Arrange(pointer, rows, routing, plan);
        }
    }

    public void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        var starts = (int*)plan.Starts.Address;
        for (var e = 0; e < experts.Length; e++)
        {
            if (starts[e] < starts[e + 1])
            {
                Linear(Row(x, starts[e]), experts[e], Row(output, starts[e]), starts[e + 1] - starts[e]);
            }
        }
    }

    public void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows)
    {
        var chosen = plan.Weights.Columns;
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                var sum = 0.0;
                for (var c = 0; c < chosen; c++)
                {
                    sum += (double)Download(plan.Weights, row)[c] * Download(x, ((int*)plan.Places.Address)[(row * chosen) + c])[i];
                }

                Download(output, row)[i] = (float)sum;
            }
        }
    }

    public void AddGated(Rows residual, Rows x, Rows gate, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            var share = 1 / (1 + Math.Exp(-Download(gate, row)[0]));
            for (var i = 0; i < residual.Columns; i++)
            {
                Download(residual, row)[i] += (float)(share * Download(x, row)[i]);
            }
        }
    }

    /// <summary>Indexes of the highest values, the lower index first among equals.</summary>
    private static int[] Best(double[] values, int count) => [.. Enumerable.Range(0, values.Length).OrderByDescending(i => values[i]).Take(count)];
}
