using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Mixture of experts: routing, the products of the experts, their sum.</summary>
public abstract partial class BackendConformance
{
    [Theory]
    [InlineData("Softmax", 4, 2, 1, 1, false, 1)]
    [InlineData("Softmax", 60, 4, 1, 1, true, 33)]
    [InlineData("Softmax", 16, 3, 4, 2, false, 21)]
    [InlineData("Sigmoid", 128, 8, 1, 1, true, 300)]
    [InlineData("Sigmoid", 32, 6, 8, 3, true, 40)]
    [InlineData("Sigmoid", 1, 1, 1, 1, true, 5)]
    public void RouteChoosesWeighsAndArranges(string function, int experts, int chosen, int groups, int chosenGroups, bool normalised, int rows)
    {
        // Scores far enough apart that rounding chooses no other expert.
        var logits = new float[rows * experts];
        for (var row = 0; row < rows; row++)
        {
            var steps = Enumerable.Range(0, experts).Select(e => (6f * e / experts) - 3).ToArray();
            _random.Shuffle(steps);
            steps.CopyTo(logits, row * experts);
        }

        var correction = Enumerable.Range(0, experts).Select(e => e % 3 * 1e-5f).ToArray();
        var factors = Values(experts);
        float[] expected = new float[rows * chosen * 3 + experts + 1], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(correction).ToArray(), MemoryMarshal.AsBytes<float>(factors).ToArray());
            var routing = new Routing(experts, chosen, Enum.Parse<RouterFunction>(function))
            {
                Correction = function == "Sigmoid" ? backend.LoadVector("correction", DType.F32, experts, pinned[0]) : null,
                Groups = groups,
                ChosenGroups = chosenGroups,
                GroupBest = Math.Min(2, experts / groups),
                Normalised = normalised,
                Epsilon = 1e-20f,
                Factors = experts > 20 ? backend.LoadVector("factors", DType.F32, experts, pinned[1]) : null,
                Scale = 1.5f,
            };
            using var plan = ExpertPlan.Allocate(backend, rows, experts, chosen);
            backend.Route(Upload(backend, logits, rows, experts), routing, plan, rows);
            Download(backend, plan.Weights, rows, result);
            var ints = (float[])[.. Integers(backend, plan.Tokens, rows * chosen), .. Integers(backend, plan.Places, rows * chosen), .. Integers(backend, plan.Starts, experts + 1)];
            ints.CopyTo(result, rows * chosen);
        }

        AssertClose(expected, actual, 1e-6);
    }

    [Fact]
    public void RoutingOfWhatIsNotANumberStillNamesExperts()
    {
        using var plan = ExpertPlan.Allocate(Backend, 2, 8, 2);
        Backend.Route(Poisoned(Backend, 2, 8), new Routing(8, 2, RouterFunction.Softmax), plan, 2);
        Assert.Equal([0f, 1f], Integers(Backend, plan.Tokens, 4).Distinct().Order());
        Assert.Equal(4, Integers(Backend, plan.Starts, 9)[^1]);
    }

    [Theory]
    [InlineData("BF16", 7, 3, 1, 64, 40)]
    [InlineData("BF16", 5, 2, 33, 96, 130)]
    [InlineData("F16", 64, 4, 19, 67, 21)]
    [InlineData("F32", 3, 2, 70, 35, 18)]
    public void ExpertsMultiplyTheirOwnTokensAndAreAddedUp(string typeName, int experts, int chosen, int rows, int inputs, int outputs)
    {
        var type = Enum.Parse<DType>(typeName);
        float[] logits = Values(rows * experts), x = InputsOfProducts(rows * inputs), residual = Values(rows * outputs), gate = Values(rows, scale: 3), bias = Values(experts * outputs);
        byte[] first = WeightBytes(type, experts * outputs * inputs), second = WeightBytes(type, experts * 5 * inputs);
        float[] expected = new float[rows * (outputs + 5 + outputs)], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(first, second, MemoryMarshal.AsBytes<float>(bias).ToArray());
            using var plan = ExpertPlan.Allocate(backend, rows, experts, chosen);
            var weights = ExpertProjections(backend, pinned, type, experts, outputs, inputs);
            Rows input = Upload(backend, x, rows, inputs), places = Poisoned(backend, rows * chosen, inputs);
            Rows products = Poisoned(backend, rows * chosen, outputs + 5), sum = Poisoned(backend, rows, outputs + 5);
            backend.Route(Upload(backend, logits, rows, experts), new Routing(experts, chosen, RouterFunction.Softmax), plan, rows);
            backend.GatherRows(input, new Ints(plan.Tokens, 0), places, rows * chosen);
            backend.ExpertLinear(places, plan, weights, products, rows * chosen);
            backend.CombineExperts(products, plan, sum, rows);
            Download(backend, sum, rows, result);
            var gated = Upload(backend, residual, rows, outputs);
            backend.AddGated(gated, sum.Slice(5, outputs), Upload(backend, gate, rows, 1), rows);
            Download(backend, gated, rows, result.AsSpan(rows * (outputs + 5)));
        }

        AssertClose(expected, actual, 4e-6 * Math.Sqrt(inputs));
    }

    /// <summary>Who else is sent to an expert changes no bit of a token.</summary>
    [Theory]
    [InlineData("BF16")]
    [InlineData("F32")]
    public void ATokenOfExpertsHasTheSameBitsInAnyBatch(string typeName)
    {
        var type = Enum.Parse<DType>(typeName);
        const int Rows = 31, Experts = 6, Chosen = 2, Outputs = 27, Inputs = 75;
        float[] logits = Values(Rows * Experts), x = Values(Rows * Inputs), bias = Values(Experts * Outputs);
        using var pinned = new Pinned(WeightBytes(type, Experts * Outputs * Inputs), WeightBytes(type, Experts * 5 * Inputs), MemoryMarshal.AsBytes<float>(bias).ToArray());
        var weights = ExpertProjections(Backend, pinned, type, Experts, Outputs, Inputs);
        float[] Run(int from, int count)
        {
            using var plan = ExpertPlan.Allocate(Backend, count, Experts, Chosen);
            Rows places = Poisoned(Backend, count * Chosen, Inputs), products = Poisoned(Backend, count * Chosen, Outputs + 5), sum = Poisoned(Backend, count, Outputs + 5);
            Backend.Route(Upload(Backend, logits[(from * Experts)..((from + count) * Experts)], count, Experts), new Routing(Experts, Chosen, RouterFunction.Sigmoid) { Normalised = true }, plan, count);
            Backend.GatherRows(Upload(Backend, x[(from * Inputs)..((from + count) * Inputs)], count, Inputs), new Ints(plan.Tokens, 0), places, count * Chosen);
            Backend.ExpertLinear(places, plan, weights, products, count * Chosen);
            Backend.CombineExperts(products, plan, sum, count);
            var result = new float[count * (Outputs + 5)];
            Download(Backend, sum, count, result);
            return result;
        }

        float[] alone = [.. Enumerable.Range(0, Rows).SelectMany(row => Run(row, 1))];
        foreach (var chunk in (int[])[2, 3, 5, 8, 13, Rows])
        {
            float[] together = [.. Enumerable.Range(0, (Rows + chunk - 1) / chunk).SelectMany(c => Run(c * chunk, Math.Min(chunk, Rows - (c * chunk))))];
            Assert.True(MemoryMarshal.AsBytes<float>(together).SequenceEqual(MemoryMarshal.AsBytes<float>(alone)), $"{chunk} rows, seed {_seed}");
        }
    }

    /// <summary>Two matrices for each expert, views of stacks; the first has a bias.</summary>
    private static Projection[][] ExpertProjections(IBackend backend, Pinned pinned, DType type, int experts, int outputs, int inputs) =>
    [
        .. Enumerable.Range(0, experts).Select(e => (Projection[])
        [
            new(backend.LoadMatrix("a", type, outputs, inputs, pinned[0] + (e * outputs * inputs * type.ByteSize())), backend.LoadVector("bias", DType.F32, outputs, pinned[2] + (e * outputs * sizeof(float)))),
            new(backend.LoadMatrix("b", type, 5, inputs, pinned[1] + (e * 5 * inputs * type.ByteSize())), Bias: null),
        ]),
    ];

    private static unsafe float[] Integers(IBackend backend, DeviceBuffer buffer, int count)
    {
        var integers = new int[count];
        if (backend is CudaBackend cuda)
        {
            cuda.Read<int>(buffer, integers);
        }
        else
        {
            new ReadOnlySpan<int>((void*)buffer.Address, count).CopyTo(integers);
        }

        return [.. integers.Select(i => (float)i)];
    }
}
