using System.Runtime.InteropServices;
using System.Security.Cryptography;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Weights quantised while loading: every kernel gives the same bits, for any rows and threads, on this processor and on one with fewer instructions; and codes are well chosen.</summary>
public sealed unsafe class GroupedKernelTests(ITestOutputHelper output)
{
    /// <summary>What a child process with instructions switched off must find too.</summary>
    public const string BitsVariable = "KVPREFETCH_TEST_GROUPED_BITS";

    private static readonly (string Name, Func<IBackend> Create)[] Kinds =
    [
        ("managed, 128 bits", () => CpuBackend.Create(1, VectorWidth.Bits128, kernels: ProductKernels.Managed)),
        ("managed, 256 bits", () => CpuBackend.Create(3, VectorWidth.Bits256, kernels: ProductKernels.Managed)),
        ("managed, 512 bits", () => CpuBackend.Create(2, VectorWidth.Bits512, kernels: ProductKernels.Managed)),
        ("assembled, vectors", () => CpuBackend.Create(2, kernels: ProductKernels.VectorDots)),
        ("assembled, all", () => CpuBackend.Create(1)),
        ("assembled, all, threads", () => CpuBackend.Create(4)),
    ];

    [Theory]
    [InlineData(WeightFormat.Int8, 37, 75, 130)]
    [InlineData(WeightFormat.Int4, 37, 75, 130)]
    [InlineData(WeightFormat.Int8, 21, 512, 576)]
    [InlineData(WeightFormat.Int4, 21, 512, 576)]
    public void ARowHasTheSameBitsInAnyBatchKernelAndThreadCount(WeightFormat format, int rows, int outputs, int inputs)
    {
        var seed = Random.Shared.Next();
        byte[]? expected = null;
        foreach (var (name, create) in Kinds)
        {
            using var backend = create();
            foreach (var chunk in (int[])[rows, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17])
            {
                var bits = Product(backend, format, seed, rows, outputs, inputs, chunk);
                expected ??= bits;
                Assert.True(bits.AsSpan().SequenceEqual(expected), $"{name}, {chunk} rows, seed {seed}");
            }
        }
    }

    /// <summary>By whatever this process has; the environment may name what another process found.</summary>
    [Fact]
    public void TheBitsAreThoseOfEveryProcessor()
    {
        var bits = Bits();
        output.WriteLine(bits);
        Assert.Equal(Environment.GetEnvironmentVariable(BitsVariable) ?? bits, bits);
    }

    /// <summary>Of products from one seed, all kinds of kernels.</summary>
    public static string Bits()
    {
        var all = new List<byte>();
        foreach (var (_, create) in Kinds)
        {
            using var backend = create();
            all.AddRange(Product(backend, WeightFormat.Int8, 1, 19, 50, 100, 19));
            all.AddRange(Product(backend, WeightFormat.Int4, 2, 19, 50, 100, 19));
        }

        return Convert.ToHexStringLower(SHA256.HashData([.. all]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void WhatIsNoNumberSpoilsItsOwnRowAlone(float value)
    {
        foreach (var (name, create) in Kinds)
        {
            using var backend = create();
            foreach (var format in (WeightFormat[])[WeightFormat.Int8, WeightFormat.Int4])
            {
                var results = MemoryMarshal.Cast<byte, float>(Product(backend, format, 3, 20, 32, 64, 20, x => x[(7 * 64) + 40] = value)).ToArray();
                for (var i = 0; i < results.Length; i++)
                {
                    Assert.True(float.IsFinite(results[i]) == (i / 32 != 7), $"{name}, {format}: row {i / 32} is {results[i]}");
                }
            }
        }
    }

    [Fact]
    public void RowsOfZerosGiveZerosAndTinyOnesNothingThatIsNoNumber()
    {
        foreach (var (_, create) in Kinds)
        {
            using var backend = create();
            var results = MemoryMarshal.Cast<byte, float>(Product(backend, WeightFormat.Int4, 4, 6, 32, 64, 6, x =>
            {
                Array.Clear(x, 0, 64);
                x.AsSpan(64, 64).Fill(1e-42f);
                x.AsSpan(128, 64).Fill(3e38f);
            })).ToArray();
            Assert.All(results.AsSpan(0, 64).ToArray(), r => Assert.Equal(0, r));
            Assert.All(results.AsSpan(96).ToArray(), r => Assert.True(float.IsFinite(r)));
        }
    }

    /// <summary>No value is further from its code than half a step, but for those beyond the ends that a better step for the rest leaves out; and the squared error is below that of codes from the largest, or from both ends.</summary>
    [Theory]
    [InlineData(WeightFormat.Int8)]
    [InlineData(WeightFormat.Int4)]
    public void CodesAreBetterThanThoseOfTheEnds(WeightFormat format)
    {
        var random = new Random(5);
        const int Rows = 64, Columns = 96;
        var values = new float[Rows * Columns];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        using var backend = new ReferenceBackend();
        fixed (float* source = values)
        {
            var weight = backend.LoadGrouped("w", format, Rows, Columns, DeviceBuffer.OnHost(DType.U8, GroupedLayout.Bytes(format, Rows, Columns)));
            backend.Quantise(weight, DType.F32, (nint)source, isMapped: false);
            double error = 0, plain = 0;
            for (var row = 0; row < Rows; row++)
            {
                for (var g = 0; g < Columns; g += 32)
                {
                    var group = values.AsSpan((row * Columns) + g, 32).ToArray();
                    double low = group.Min(), high = group.Max(), largest = Math.Max(-low, high);
                    var step = format == WeightFormat.Int8 ? largest / 127 : (high - low) / 15;
                    for (var k = 0; k < 32; k++)
                    {
                        var (code, scale, minimum) = GroupedReader.Element(weight, row, g + k);
                        var difference = group[k] - ((code * (double)scale) + minimum);
                        var naive = format == WeightFormat.Int8 ? group[k] - (Math.Round(group[k] / step) * step) : group[k] - low - (Math.Round((group[k] - low) / step) * step);
                        error += difference * difference;
                        plain += naive * naive;
                        Assert.InRange(Math.Abs(difference), 0, 1.5 * step);
                    }
                }
            }

            output.WriteLine($"{format}: {error / plain:P1} of the plain error");
            Assert.InRange(error / plain, 0.5, format == WeightFormat.Int8 ? 1.03 : 0.95);
        }
    }

    [Theory]
    [InlineData(WeightFormat.Int8, 0f)]
    [InlineData(WeightFormat.Int8, 1.5f)]
    [InlineData(WeightFormat.Int4, 0f)]
    [InlineData(WeightFormat.Int4, -0.75f)]
    [InlineData(WeightFormat.Int4, 1e-39f)]
    [InlineData(WeightFormat.Int8, 1e-39f)]
    [InlineData(WeightFormat.Int4, float.NaN)]
    [InlineData(WeightFormat.Int8, float.NaN)]
    [InlineData(WeightFormat.Int4, float.PositiveInfinity)]
    [InlineData(WeightFormat.Int8, float.NegativeInfinity)]
    public void GroupsOfOneValueKeepItOrAreNoNumbers(WeightFormat format, float value)
    {
        var values = new float[16 * 40];
        Array.Fill(values, value);
        using var backend = new ReferenceBackend();
        fixed (float* source = values)
        {
            var weight = backend.LoadGrouped("w", format, 16, 40, DeviceBuffer.OnHost(DType.U8, GroupedLayout.Bytes(format, 16, 40)));
            backend.Quantise(weight, DType.F32, (nint)source, isMapped: false);
            for (var k = 0; k < 40; k++)
            {
                var (code, scale, minimum) = GroupedReader.Element(weight, 3, k);
                var kept = (code * scale) + minimum;
                Assert.True(float.IsFinite(value) ? Math.Abs(kept - value) <= Math.Abs(value) / 256 + 1e-38 : !float.IsFinite(kept), $"{kept}");
            }
        }
    }

    /// <summary>Assembling needs no processor that could run it.</summary>
    [Fact]
    public void EveryKernelIsAssembledForBothCallingConventions()
    {
        foreach (var windows in (bool[])[false, true])
        {
            foreach (var fourBits in (bool[])[false, true])
            {
                Assert.All(Enumerable.Range(1, GroupedVectorDot.MaxRows), rows => Assert.NotEmpty(GroupedVectorDot.Assemble(rows, fourBits, windows)));
                Assert.All(Enumerable.Range(1, GroupedVectorDot.MaxNarrowRows), rows => Assert.NotEmpty(GroupedVectorDot.AssembleNarrow(rows, fourBits, windows)));
                Assert.NotEmpty(GroupedTileDot.Assemble(fourBits, windows));
            }
        }
    }

    private static byte[] Product(IBackend backend, WeightFormat format, int seed, int rows, int outputs, int inputs, int chunk, Action<float[]>? change = null)
    {
        var random = new Random(seed);
        float[] x = [.. Enumerable.Range(0, rows * inputs).Select(_ => (random.NextSingle() - 0.5f) * MathF.Exp(4 * random.NextSingle()))], w = [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.NextSingle() - 0.4f)];
        change?.Invoke(x);
        var results = new float[rows * outputs];
        fixed (float* source = w)
        {
            using var panels = DeviceBuffer.OnHost(DType.U8, GroupedLayout.Bytes(format, outputs, inputs));
            var weight = backend.LoadGrouped("w", format, outputs, inputs, panels);
            backend.Quantise(weight, DType.F32, (nint)source, isMapped: false);
            for (var from = 0; from < rows; from += chunk)
            {
                var count = Math.Min(chunk, rows - from);
                Rows input = backend.AllocateRows(count, inputs), output = backend.AllocateRows(count, outputs + 1);
                for (var row = 0; row < count; row++)
                {
                    x.AsSpan((from + row) * inputs, inputs).CopyTo(backend.Download(input, row));
                    backend.Download(output, row).Fill(float.NaN);
                }

                backend.Linear(input, [new Projection(weight, Bias: null)], output.Slice(0, outputs), count);
                for (var row = 0; row < count; row++)
                {
                    backend.Download(output, row)[..outputs].CopyTo(results.AsSpan((from + row) * outputs));
                    Assert.True(float.IsNaN(backend.Download(output, row)[outputs]), "written beyond the outputs");
                }

                input.Buffer.Dispose();
                output.Buffer.Dispose();
            }
        }

        return MemoryMarshal.AsBytes<float>(results).ToArray();
    }
}
