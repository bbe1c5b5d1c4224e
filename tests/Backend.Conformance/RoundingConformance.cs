using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Backends that round activations: to nearest, ties to even, and nothing else.</summary>
public abstract partial class BackendConformance
{
    [Theory]
    [InlineData("BF16", 1, 40)]
    [InlineData("BF16", 9, 131)]
    [InlineData("F32", 3, 50)]
    public void ActivationsAreRoundedToNearest(string typeName, int rows, int inputs)
    {
        Assert.SkipUnless(RoundsActivations, "this backend rounds nothing");
        var type = Enum.Parse<DType>(typeName);
        const int Outputs = 21;
        var x = Values(rows * inputs);
        for (var i = 0; i < 8; i++)
        {
            x[_random.Next(x.Length)] = BitConverter.UInt32BitsToSingle(0x3F80_8000u + ((uint)i << 16));    // ties
        }

        float[] rounded = [.. x.Select(v => FloatFormats.BFloat16ToSingle(FloatFormats.SingleToBFloat16(v)))], expected = new float[rows * Outputs], actual = new float[rows * Outputs];
        using var pinned = new Pinned(WeightBytes(type, Outputs * inputs));
        Projection[] projections = [new(Backend.LoadMatrix("w", type, Outputs, inputs, pinned[0]), Bias: null)];
        foreach (var (values, result) in ((float[], float[])[])[(rounded, expected), (x, actual)])
        {
            var output = Poisoned(Backend, rows, Outputs);
            Backend.Linear(Upload(Backend, values, rows, inputs), projections, output, rows);
            Download(Backend, output, rows, result);
        }

        Assert.True(MemoryMarshal.AsBytes<float>(actual).SequenceEqual(MemoryMarshal.AsBytes<float>(expected)), $"seed {_seed}");
    }
}
