using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Products with packed weights, in every order that is published: codes, scales and zero points are random bits.</summary>
public abstract partial class BackendConformance
{
    /// <summary>False for a backend that does not have <see cref="IBackend.LoadPacked"/> yet.</summary>
    private protected virtual bool MultipliesByPacked => true;

    /// <summary>Format, order, type of scales, rows and columns of the matrix, rows of a block, columns of a group, stored zero points, groups of columns at random.</summary>
    public static TheoryData<string, string, string, int, int, int, int, bool, bool> Packings => new()
    {
        { "E4M3", "Rows", "F32", 37, 300, 128, 128, false, false },
        { "E4M3", "Rows", "BF16", 64, 96, 1, 96, false, false },
        { "E4M3", "Rows", "F16", 19, 45, 19, 45, false, false },
        { "E2M1", "Rows", "U8", 40, 96, 1, 32, false, false },
        { "UInt4", "Rows", "BF16", 33, 64, 1, 32, false, false },
        { "UInt4", "Rows", "F16", 24, 96, 1, 32, true, false },
        { "UInt4", "Rows", "BF16", 16, 43, 1, 20, true, false },
        { "UInt4", "Rows", "F32", 16, 64, 1, 16, true, true },
        { "UInt4", "InputWords", "F16", 40, 160, 1, 32, true, false },
        { "UInt4", "InputWords", "F16", 72, 96, 1, 32, true, true },
        { "UInt4", "OutputWords", "F16", 56, 160, 1, 32, true, false },
        { "UInt4", "OutputWords", "F16", 24, 67, 1, 67, true, false },
    };

    [Theory, MemberData(nameof(Packings))]
    public void LinearOfPackedWeights(string format, string order, string scales, int outputs, int inputs, int blockRows, int groupSize, bool zeros, bool permuted)
    {
        Assert.SkipUnless(MultipliesByPacked, "this backend refuses packed weights");
        using var data = new PackedData(this, format, order, scales, outputs, inputs, blockRows, groupSize, zeros, permuted);
        foreach (var rows in (int[])[1, 2, 7, 40])
        {
            var x = InputsOfProducts(rows * inputs);
            var bias = Values(outputs / 2);

            // The whole matrix, beside it every other row as a matrix of its own with a bias, and between them plain weights.
            var columns = outputs + 5 + (outputs / 2);
            float[] expected = new float[rows * columns], actual = new float[expected.Length];
            var plain = WeightBytes(DType.BF16, 5 * inputs);
            foreach (var (backend, result) in Both(expected, actual))
            {
                using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(bias).ToArray(), plain);
                Projection[] projections =
                [
                    new(backend.LoadPacked("a", data.Matrix), Bias: null),
                    new(backend.LoadMatrix("b", DType.BF16, 5, inputs, pinned[1]), Bias: null),
                    new(backend.LoadPacked("c", data.Matrix.RowsOf(1, outputs / 2, step: 2)), backend.LoadVector("bias", DType.F32, outputs / 2, pinned[0])),
                ];
                var output = Poisoned(backend, rows, columns);
                backend.Linear(Upload(backend, x, rows, inputs), projections, output, rows);
                Download(backend, output, rows, result);
            }

            AssertClose(expected, actual, 4e-6 * Math.Sqrt(inputs));
        }
    }

    [Theory, MemberData(nameof(Packings))]
    public void ARowOfAPackedProductHasTheSameBitsInAnyBatch(string format, string order, string scales, int outputs, int inputs, int blockRows, int groupSize, bool zeros, bool permuted)
    {
        const int Rows = 15;
        Assert.SkipUnless(MultipliesByPacked, "this backend refuses packed weights");
        using var data = new PackedData(this, format, order, scales, outputs, inputs, blockRows, groupSize, zeros, permuted);
        Projection[] projections = [new(Backend.LoadPacked("w", data.Matrix), Bias: null)];
        var x = Values(Rows * inputs);
        float[] Run(int from, int count)
        {
            var (result, output) = (new float[count * outputs], Poisoned(Backend, count, outputs));
            Backend.Linear(Upload(Backend, x[(from * inputs)..((from + count) * inputs)], count, inputs), projections, output, count);
            Download(Backend, output, count, result);
            return result;
        }

        float[] alone = [.. Enumerable.Range(0, Rows).SelectMany(row => Run(row, 1))];
        for (var rows = 2; rows <= Rows; rows++)
        {
            Assert.True(MemoryMarshal.AsBytes<float>(Run(0, rows)).SequenceEqual(MemoryMarshal.AsBytes<float>(alone.AsSpan(0, rows * outputs))), $"{rows} rows, seed {_seed}");
        }
    }

    [Theory]
    [InlineData("E2M1", "Rows", "U8", 1)]
    [InlineData("E2M1", "Rows", "U8", 29)]
    [InlineData("UInt4", "InputWords", "F16", 12)]
    [InlineData("UInt4", "OutputWords", "F16", 12)]
    public void ExpertsOfPackedWeights(string format, string order, string scales, int rows)
    {
        Assert.SkipUnless(MultipliesByPacked, "this backend refuses packed weights");
        const int Experts = 5, Chosen = 2, Inputs = 64, Outputs = 48;
        List<PackedData> data = [.. Enumerable.Range(0, Experts).Select(_ => new PackedData(this, format, order, scales, Outputs, Inputs, 1, 32, zeros: order != "Rows", permuted: false))];
        float[] logits = Values(rows * Experts), x = InputsOfProducts(rows * Inputs), expected = new float[rows * Outputs], actual = new float[rows * Outputs];
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var plan = ExpertPlan.Allocate(backend, rows, Experts, Chosen);
            Projection[][] weights = [.. data.Select(d => (Projection[])
            [
                new(backend.LoadPacked("gate", d.Matrix.RowsOf(0, Outputs / 2, 2)), Bias: null),
                new(backend.LoadPacked("up", d.Matrix.RowsOf(1, Outputs / 2, 2)), Bias: null),
            ])];
            Rows places = Poisoned(backend, rows * Chosen, Inputs), products = Poisoned(backend, rows * Chosen, Outputs), sum = Poisoned(backend, rows, Outputs);
            backend.Route(Upload(backend, logits, rows, Experts), new Routing(Experts, Chosen, RouterFunction.Softmax), plan, rows);
            backend.GatherRows(Upload(backend, x, rows, Inputs), new Ints(plan.Tokens, 0), places, rows * Chosen);
            backend.ExpertLinear(places, plan, weights, products, rows * Chosen);
            backend.CombineExperts(products, plan, sum, rows);
            Download(backend, sum, rows, result);
        }

        data.ForEach(d => d.Dispose());
        AssertClose(expected, actual, 4e-6 * Math.Sqrt(Inputs));
    }

    /// <summary>A matrix of random codes, scales and zero points at odd addresses.</summary>
    private sealed class PackedData : IDisposable
    {
        private readonly Pinned _pinned;

        public PackedData(BackendConformance test, string format, string order, string scales, int outputs, int inputs, int blockRows, int groupSize, bool zeros, bool permuted)
        {
            var random = test._random;
            var (kind, place, type) = (Enum.Parse<CodeFormat>(format), Enum.Parse<CodeOrder>(order), Enum.Parse<DType>(scales));
            int groups = (inputs + groupSize - 1) / groupSize, blocks = (outputs + blockRows - 1) / blockRows;
            var pitch = kind == CodeFormat.E4M3 ? inputs : (inputs + 7) / 8 * 4;
            var codes = new byte[place == CodeOrder.Rows ? outputs * pitch : outputs * ((inputs + 7) / 8) * 4];
            random.NextBytes(codes);
            if (kind == CodeFormat.E4M3)
            {
                // NaN is tested where formats are; here it would hide everything else.
                codes = [.. codes.Select(c => (c & 0x7F) == 0x7F ? (byte)0x7E : c)];
            }

            var zeroWords = new byte[groups * ((outputs + 7) / 8) * 4];
            random.NextBytes(zeroWords);
            var order4 = MemoryMarshal.AsBytes<int>(Enumerable.Range(0, inputs).Select(_ => random.Next(groups)).ToArray()).ToArray();
            var size = kind switch { CodeFormat.E4M3 => 1 / 448f, _ => 1 / 8f };
            byte[] scaleBytes = type == DType.U8
                ? [.. Enumerable.Range(0, blocks * groups).Select(_ => (byte)random.Next(120, 126))]
                : ScaleBytes(type, test.Values(blocks * groups, size));
            _pinned = new Pinned(codes, scaleBytes, zeroWords, order4);

            // Zero points of words of outputs lie by group; those of rows by row.
            var byGroup = place != CodeOrder.Rows;
            Matrix = new PackedMatrix
            {
                Format = kind,
                Order = place,
                Codes = _pinned[0],
                Pitch = pitch,
                Rows = outputs,
                Columns = inputs,
                StoredRows = outputs,
                RowStep = 1,
                Scales = _pinned[1],
                ScaleType = type,
                BlockRows = blockRows,
                GroupSize = groupSize,
                ScaleRowStride = byGroup ? 1 : groups,
                ScaleGroupStride = byGroup ? blocks : 1,
                GroupOfColumn = permuted ? _pinned[3] : 0,
                Zeros = zeros ? _pinned[2] : 0,
                ZeroRowStride = byGroup ? 1 : groups,
                ZeroGroupStride = byGroup ? (outputs + 7) / 8 : 1,
                Zero = zeros ? (permuted ? 1 : 0) : 8,
            };
        }

        public PackedMatrix Matrix { get; }

        public void Dispose() => _pinned.Dispose();

        private static byte[] ScaleBytes(DType type, float[] values) => type switch
        {
            DType.F32 => MemoryMarshal.AsBytes<float>(values).ToArray(),
            DType.F16 => MemoryMarshal.AsBytes<Half>(values.Select(v => (Half)v).ToArray()).ToArray(),
            _ => MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray(),
        };
    }
}
