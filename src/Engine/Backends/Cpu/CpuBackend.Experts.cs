using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Mixture of experts.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    private readonly ExpertScratch _experts = new();

    public void Route(Rows logits, Routing routing, ExpertPlan plan, int rows)
    {
        Grow(ref _experts.Floats, Threads * RouteKernel.ScratchFloats(routing.Experts, routing.Groups));
        Grow(ref _experts.Ids, (long)rows * routing.Chosen);
        var job = new RouteKernel
        {
            Logits = Floats(logits),
            LogitsStride = logits.Stride,
            Weights = Floats(plan.Weights),
            WeightsStride = plan.Weights.Stride,
            Ids = (int*)_experts.Ids.Address,
            Correction = routing.Correction is null ? null : (float*)routing.Correction.Address,
            Factors = routing.Factors is null ? null : (float*)routing.Factors.Address,
            Experts = routing.Experts,
            Chosen = routing.Chosen,
            Groups = routing.Groups,
            ChosenGroups = routing.ChosenGroups,
            GroupBest = routing.GroupBest,
            Function = routing.Function,
            Normalised = routing.Normalised,
            Epsilon = routing.Epsilon,
            Scale = routing.Scale,
            Scratch = (float*)_experts.Floats.Address,
        };
        ShareRows(ref job, rows, (16L + routing.Chosen) * routing.Experts);
        HostPlan.Arrange(job.Ids, rows, routing, plan);
    }

    public void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        if (experts[0][0].Matrix.Packed is not null)
        {
            PackedExpertLinear(x, plan, experts, output, places);
            return;
        }

        if (experts[0][0].Matrix.Format != WeightFormat.AsStored)
        {
            GroupedExpertLinear(x, plan, experts, output, places);
            return;
        }

        switch (experts[0][0].Matrix.Type)
        {
            case DType.BF16:
                ExpertLinear<BFloat16Weights<TLanes, V>>(x, plan, experts, output, places);
                break;
            case DType.F16:
                ExpertLinear<Float16Weights<TLanes, V>>(x, plan, experts, output, places);
                break;
            default:
                ExpertLinear<Float32Weights<TLanes, V>>(x, plan, experts, output, places);
                break;
        }
    }

    public void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows)
    {
        var job = new CombineKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Places = (int*)plan.Places.Address,
            Chosen = plan.Weights.Columns,
            Weights = Floats(plan.Weights),
            WeightsStride = plan.Weights.Stride,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = output.Columns,
        };
        ShareRows(ref job, rows, (long)plan.Weights.Columns * output.Columns);
    }

    public void AddGated(Rows residual, Rows x, Rows gate, int rows)
    {
        var job = new CombineKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Chosen = 1,
            Weights = Floats(gate),
            WeightsStride = gate.Stride,
            Gate = true,
            Output = Floats(residual),
            OutputStride = residual.Stride,
            Columns = residual.Columns,
        };
        ShareRows(ref job, rows, residual.Columns);
    }

    private void ExpertLinear<TWeights>(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
        where TWeights : IWeightReader<V>
    {
        int perExpert = experts[0].Length, touchedCount = 0;
        var starts = (int*)plan.Starts.Address;
        Grow(ref _experts.Targets, (long)experts.Length * perExpert * sizeof(LinearTarget) / sizeof(int));
        Grow(ref _experts.Touched, experts.Length);
        var targets = (LinearTarget*)_experts.Targets.Address;
        var touched = (int*)_experts.Touched.Address;
        var outputs = 0;
        for (var e = 0; e < experts.Length; e++)
        {
            if (starts[e] == starts[e + 1])
            {
                continue;
            }

            touched[touchedCount++] = e;
            outputs = 0;
            for (var i = 0; i < perExpert; i++)
            {
                var (matrix, bias) = experts[e][i];
                targets[(e * perExpert) + i] = new LinearTarget((byte*)matrix.Data.Address, bias is null ? null : (float*)bias.Address, matrix.Rows, outputs);
                outputs += matrix.Rows;
            }
        }

        var rowsOfOne = (places + touchedCount - 1) / touchedCount;
        if (_dots is not null && experts[0][0].Matrix.Type == DType.BF16)
        {
            var assembled = new ExpertKernel<AssembledLinearKernel, LinearTarget> { Product = Assembled(x, output, places, perExpert), Outputs = outputs, Targets = targets, Starts = starts, Touched = touched };
            Share(ref assembled, checked(touchedCount * outputs), AssembledLinearKernel.Grain(rowsOfOne, x.Columns, outputs, Threads), (long)places * outputs * x.Columns);
            return;
        }

        var input = Arranged<TWeights>(Rounded(x, places), places, out var stride);
        var job = new ExpertKernel<LinearKernel<TLanes, V, TWeights>, LinearTarget>
        {
            Product = new LinearKernel<TLanes, V, TWeights>
            {
                X = input,
                XStride = stride,
                Output = Floats(output),
                OutputStride = output.Stride,
                Inputs = x.Columns,
                TargetCount = perExpert,
            },
            Outputs = outputs,
            Targets = targets,
            Starts = starts,
            Touched = touched,
        };
        Share(ref job, checked(touchedCount * outputs), LinearKernel<TLanes, V, TWeights>.Grain(rowsOfOne, x.Columns, outputs, Threads), (long)places * outputs * x.Columns);
    }

    /// <summary>Working memory of the verbs above; it grows to what the largest step needs.</summary>
    private sealed class ExpertScratch : IDisposable
    {
        public DeviceBuffer Floats = DeviceBuffer.OnHost(DType.F32, 1);
        public DeviceBuffer Ids = DeviceBuffer.OnHost(DType.I32, 1);
        public DeviceBuffer Targets = DeviceBuffer.OnHost(DType.I32, 1);
        public DeviceBuffer Touched = DeviceBuffer.OnHost(DType.I32, 1);

        public void Dispose()
        {
            Floats.Dispose();
            Ids.Dispose();
            Targets.Dispose();
            Touched.Dispose();
        }
    }
}
