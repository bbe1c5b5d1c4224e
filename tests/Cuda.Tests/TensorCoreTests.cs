using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Products of many rows by tensor cores: exact sums of the rounded activations, up to the order of float32 additions.</summary>
public sealed unsafe class TensorCoreTests(ITestOutputHelper output) : IDisposable
{
    private readonly int _seed = Random.Shared.Next();
    private readonly CudaBackend _backend = Card.Open(new CudaOptions());

    [Theory]
    [InlineData("BF16", 9, 8, 8)]
    [InlineData("BF16", 64, 64, 64)]
    [InlineData("BF16", 65, 130, 104)]
    [InlineData("BF16", 200, 576, 1536)]
    [InlineData("BF16", 512, 4096, 520)]
    [InlineData("F16", 17, 33, 40)]
    [InlineData("F16", 130, 2000, 256)]
    public void ManyRows(string typeName, int rows, int outputs, int inputs)
    {
        output.WriteLine($"seed {_seed}");
        var (type, random) = (Enum.Parse<DType>(typeName), new Random(_seed));
        float Value() => (float)((random.NextDouble() * 2) - 1);
        var second = (outputs / 2) + 1;
        float[] x = [.. Enumerable.Range(0, rows * inputs).Select(_ => Value())], bias = [.. Enumerable.Range(0, second).Select(_ => Value())];
        float[] a = [.. Enumerable.Range(0, outputs * inputs).Select(_ => Rounded(type, Value()))], b = [.. Enumerable.Range(0, second * inputs).Select(_ => Rounded(type, Value()))];
        Rows input = _backend.AllocateRows(rows, inputs), result = _backend.AllocateRows(rows, outputs + second);
        _backend.Write<float>(x, input.Buffer);
        float[] poison = new float[rows * (outputs + second)], actual = new float[poison.Length];
        Array.Fill(poison, float.NaN);
        _backend.Write<float>(poison, result.Buffer);
        byte[] left = Stored(type, a), right = Stored(type, b);
        fixed (byte* l = left, r = right)
        fixed (float* offsets = bias)
        {
            Projection[] projections =
            [
                new(_backend.LoadMatrix("a", type, outputs, inputs, (nint)l), Bias: null),
                new(_backend.LoadMatrix("b", type, second, inputs, (nint)r), _backend.LoadVector("bias", DType.F32, second, (nint)offsets)),
            ];
            _backend.Linear(input, projections, result, rows);
        }

        _backend.Read<float>(result.Buffer, actual);
        float[] rounded = [.. x.Select(v => Rounded(type, v))];
        double error = 0, size = 0;
        for (var row = 0; row < rows; row++)
        {
            for (var n = 0; n < outputs + second; n++)
            {
                var (weights, at, sum) = n < outputs ? (a, n, 0.0) : (b, n - outputs, bias[n - outputs]);
                for (var k = 0; k < inputs; k++)
                {
                    sum += (double)rounded[(row * inputs) + k] * weights[(at * inputs) + k];
                }

                var difference = actual[(row * (outputs + second)) + n] - sum;
                error += difference * difference;
                size += sum * sum;
            }
        }

        Assert.InRange(Math.Sqrt(error / size), 0, 4e-6);
    }

    public void Dispose() => _backend.Dispose();

    private static float Rounded(DType type, float value)
    {
        if (type == DType.F16)
        {
            return (float)(Half)value;
        }

        var bits = BitConverter.SingleToUInt32Bits(value);
        return BitConverter.UInt32BitsToSingle((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
    }

    private static byte[] Stored(DType type, float[] values) => type == DType.F16
        ? MemoryMarshal.AsBytes<Half>(values.Select(v => (Half)v).ToArray()).ToArray()
        : MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray();
}
