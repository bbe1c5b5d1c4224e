using System.Runtime.InteropServices;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Products with weights that were quantised while loading: against sums in double over the same codes and factors.</summary>
public abstract partial class BackendConformance
{
    [Theory]
    [InlineData("Int8", "BF16", 1, 16, 32)]
    [InlineData("Int8", "BF16", 1, 257, 576)]
    [InlineData("Int8", "F16", 2, 33, 96)]
    [InlineData("Int8", "F32", 5, 17, 67)]
    [InlineData("Int8", "BF16", 7, 130, 1536)]
    [InlineData("Int8", "BF16", 16, 48, 64)]
    [InlineData("Int8", "BF16", 64, 65, 160)]
    [InlineData("Int4", "BF16", 1, 16, 32)]
    [InlineData("Int4", "BF16", 1, 257, 576)]
    [InlineData("Int4", "F16", 3, 33, 96)]
    [InlineData("Int4", "F32", 6, 17, 67)]
    [InlineData("Int4", "BF16", 9, 130, 1536)]
    [InlineData("Int4", "BF16", 16, 48, 64)]
    [InlineData("Int4", "BF16", 61, 65, 160)]
    public void LinearOfQuantisedWeights(string formatName, string typeName, int rows, int outputs, int inputs)
    {
        var (format, type) = (Enum.Parse<WeightFormat>(formatName), Enum.Parse<DType>(typeName));
        var second = outputs + 3;
        float[] x = Values(rows * inputs), bias = Values(second), expected = new float[rows * (outputs + second)], actual = new float[expected.Length];
        using var pinned = new Pinned(WeightBytes(type, outputs * inputs), WeightBytes(type, second * inputs), MemoryMarshal.AsBytes<float>(bias).ToArray());
        foreach (var (backend, result) in Both(expected, actual))
        {
            Projection[] projections =
            [
                new(Grouped(backend, format, type, outputs, inputs, pinned[0]), Bias: null),
                new(Grouped(backend, format, type, second, inputs, pinned[1]), backend.LoadVector("bias", DType.F32, second, pinned[2])),
            ];
            Rows input = Upload(backend, x, rows, inputs), output = Poisoned(backend, rows, outputs + second);
            backend.Linear(input, projections, output, rows);
            Download(backend, output, rows, result);
        }

        AssertClose(expected, actual, 2e-6 * Math.Sqrt(inputs));
    }

    /// <summary>Matrices that are too small to be quantised lie beside others.</summary>
    [Fact]
    public void LinearOfQuantisedAndStoredWeights()
    {
        const int Rows = 3, Inputs = 70;
        float[] x = InputsOfProducts(Rows * Inputs), expected = new float[Rows * 63], actual = new float[expected.Length];
        using var pinned = new Pinned(WeightBytes(DType.BF16, 20 * Inputs), WeightBytes(DType.BF16, 5 * Inputs), WeightBytes(DType.F32, 18 * Inputs), WeightBytes(DType.BF16, 20 * Inputs));
        foreach (var (backend, result) in Both(expected, actual))
        {
            Projection[] projections =
            [
                new(Grouped(backend, WeightFormat.Int8, DType.BF16, 20, Inputs, pinned[0]), Bias: null),
                new(backend.LoadMatrix("w", DType.BF16, 5, Inputs, pinned[1]), Bias: null),
                new(Grouped(backend, WeightFormat.Int4, DType.F32, 18, Inputs, pinned[2]), Bias: null),
                new(Grouped(backend, WeightFormat.Int8, DType.BF16, 20, Inputs, pinned[3]), Bias: null),
            ];
            var output = Poisoned(backend, Rows, 63);
            backend.Linear(Upload(backend, x, Rows, Inputs), projections, output, Rows);
            Download(backend, output, Rows, result);
        }

        AssertClose(expected, actual, 2e-5);
    }

    [Theory]
    [InlineData("Int8", 31, 6, 2)]
    [InlineData("Int8", 1, 8, 3)]
    [InlineData("Int4", 90, 4, 2)]
    [InlineData("Int4", 2, 5, 1)]
    public void ExpertsOfQuantisedWeights(string formatName, int rows, int experts, int chosen)
    {
        var format = Enum.Parse<WeightFormat>(formatName);
        const int Outputs = 27, Second = 16, Inputs = 75;
        float[] logits = Values(rows * experts), x = Values(rows * Inputs), expected = new float[rows * (Outputs + Second)], actual = new float[expected.Length];
        using var pinned = new Pinned([.. Enumerable.Range(0, experts * 2).Select(i => WeightBytes(DType.BF16, (i % 2 == 0 ? Outputs : Second) * Inputs))]);
        foreach (var (backend, result) in Both(expected, actual))
        {
            Projection[][] weights = [.. Enumerable.Range(0, experts).Select(e => (Projection[])
            [
                new(Grouped(backend, format, DType.BF16, Outputs, Inputs, pinned[2 * e]), Bias: null),
                new(Grouped(backend, format, DType.BF16, Second, Inputs, pinned[(2 * e) + 1]), Bias: null),
            ])];
            using var plan = ExpertPlan.Allocate(backend, rows, experts, chosen);
            Rows places = Poisoned(backend, rows * chosen, Inputs), products = Poisoned(backend, rows * chosen, Outputs + Second), sum = Poisoned(backend, rows, Outputs + Second);
            backend.Route(Upload(backend, logits, rows, experts), new Routing(experts, chosen, RouterFunction.Softmax), plan, rows);
            backend.GatherRows(Upload(backend, x, rows, Inputs), new Ints(plan.Tokens, 0), places, rows * chosen);
            backend.ExpertLinear(places, plan, weights, products, rows * chosen);
            backend.CombineExperts(products, plan, sum, rows);
            Download(backend, sum, rows, result);
        }

        AssertClose(expected, actual, 2e-5);
    }

    private static Weight Grouped(IBackend backend, WeightFormat format, DType type, int rows, int columns, nint source)
    {
        try
        {
            var weight = backend.LoadGrouped("w", format, rows, columns, DeviceBuffer.OnHost(DType.U8, GroupedLayout.Bytes(format, rows, columns)));
            backend.Quantise(weight, type, source, isMapped: false);
            return weight;
        }
        catch (UnsupportedModelException refused)
        {
            Assert.Skip(refused.Message);
            throw;
        }
    }
}
