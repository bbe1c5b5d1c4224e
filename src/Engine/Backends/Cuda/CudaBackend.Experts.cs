using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Mixture of experts.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>Most experts of a layer.</summary>
    private const int MaxExperts = 2048;

    private const int ExpertTile = 4;

    /// <summary>For each layer's experts, by its first one's array: every expert's matrices, <c>[experts][projections]</c>.</summary>
    private readonly Dictionary<Projection[], DeviceBuffer> _experts = new(ReferenceEqualityComparer.Instance);

    public void Route(Rows logits, Routing routing, ExpertPlan plan, int rows)
    {
        if (routing.Experts > MaxExperts)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The CUDA backend does at most {MaxExperts} experts, not {routing.Experts}.");
        }

        // The plan's tokens hold the experts' numbers until they are arranged.
        var route = new RouteParams
        {
            Logits = new(logits),
            Weights = new(plan.Weights),
            Correction = routing.Correction?.Address ?? 0,
            Factors = routing.Factors?.Address ?? 0,
            Ids = plan.Tokens.Address,
            Experts = routing.Experts,
            Chosen = routing.Chosen,
            Sigmoid = routing.Function == RouterFunction.Sigmoid ? 1 : 0,
            Groups = routing.Groups,
            ChosenGroups = routing.ChosenGroups,
            GroupBest = routing.GroupBest,
            Normalised = routing.Normalised ? 1 : 0,
            Epsilon = routing.Epsilon,
            Scale = routing.Scale,
        };
        Kernel(CudaKernels.Route(MaxExperts, MaxExperts)).Launch(_stream, rows, 1, 1, route, ((2 * routing.Experts) + routing.Groups) * sizeof(float));
        var arrange = new ArrangeParams { Tokens = plan.Tokens.Address, Places = plan.Places.Address, Starts = plan.Starts.Address, Count = checked(rows * routing.Chosen), Experts = routing.Experts, Chosen = routing.Chosen };
        Kernel(CudaKernels.Arrange).Launch(_stream, 1, 1, 1, arrange);
    }

    public void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        if (experts[0][0].Matrix.Packed is not null)
        {
            ExpertLinearPacked(x, plan, experts, output, places);
            return;
        }

        var (first, outputs) = (experts[0], 0);
        foreach (var projection in first)
        {
            outputs += projection.Matrix.Rows;
        }

        var parameters = new ExpertLinearParams
        {
            X = new(x),
            Output = new(output),
            Targets = ExpertTable(experts).Address,
            Starts = plan.Starts.Address,
            TargetCount = first.Length,
            Inputs = x.Columns,
            Outputs = outputs,
        };
        var kernel = Kernel(CudaKernels.ExpertLinear(first[0].Matrix.Type, places == 1 ? 1 : ExpertTile));
        kernel.Launch(_stream, Blocks(outputs, kernel.Spec.Threads / 16), experts.Length, 1, parameters);
    }

    public void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows)
    {
        var parameters = new CombineExpertsParams { X = new(x), Weights = new(plan.Weights), Output = new(output), Places = plan.Places.Address, Columns = output.Columns, Chosen = plan.Weights.Columns };
        var kernel = Kernel(CudaKernels.CombineExperts);
        kernel.Launch(_stream, rows, Blocks(output.Columns, kernel.Spec.Threads), 1, parameters);
    }

    private DeviceBuffer ExpertTable(ReadOnlySpan<Projection[]> experts)
    {
        if (_experts.TryGetValue(experts[0], out var known))
        {
            return known;
        }

        var targets = new List<Target>();
        foreach (var expert in experts)
        {
            var first = 0;
            foreach (var projection in expert)
            {
                targets.Add(TargetOf(projection, first));
                first += projection.Matrix.Rows;
            }
        }

        // As floats, bit by bit: constants are floats.
        return _experts[experts[0]] = Constant("experts", MemoryMarshal.Cast<Target, float>(CollectionsMarshal.AsSpan(targets)));
    }
}
