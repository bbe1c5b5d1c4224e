using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Products with packed weights beside the same with bf16, in turn within each round.</summary>
internal static class PairedPackings
{
    private const int Rounds = 15, Outputs = 3072, Inputs = 1536, Group = 128, Matrices = 8;

    private static readonly (string Name, CodeFormat Format, CodeOrder Order, DType Scale, int Group, int BlockRows)[] Kinds =
    [
        ("FP8, blocks of 128", CodeFormat.E4M3, CodeOrder.Rows, DType.F32, 128, 128),
        ("MXFP4", CodeFormat.E2M1, CodeOrder.Rows, DType.U8, 32, 1),
        ("int4 in rows", CodeFormat.UInt4, CodeOrder.Rows, DType.BF16, Group, 1),
        ("GPTQ", CodeFormat.UInt4, CodeOrder.InputWords, DType.F16, Group, 1),
        ("AWQ", CodeFormat.UInt4, CodeOrder.OutputWords, DType.F16, Group, 1),
    ];

    public static string Run(int threads)
    {
        var text = new StringBuilder("| rows |").AppendJoin("", Kinds.Select(k => $" {k.Name} / bf16 |")).AppendLine().Append("|---|").AppendJoin("", Kinds.Select(_ => "---|")).AppendLine();
        using var backend = CpuBackend.Create(threads);
        var random = new Random(1);
        var plain = Bytes(random, Matrices * Outputs * Inputs * sizeof(ushort), mask: 0x3F);
        var codes = Bytes(random, Matrices * Outputs * Inputs, mask: 0x6F);
        var scales = Bytes(random, Outputs * Inputs / 8, mask: 0x3F);
        Projection[][] all =
        [
            [.. Enumerable.Range(0, Matrices).Select(i => new Projection(backend.LoadMatrix("plain", DType.BF16, Outputs, Inputs, Address(plain, i * Outputs * Inputs * sizeof(ushort))), Bias: null))],
            .. Kinds.Select(k => Enumerable.Range(0, Matrices).Select(i => new Projection(backend.LoadPacked("packed", Packed(k.Format, k.Order, k.Scale, k.Group, k.BlockRows, Address(codes, i * Outputs * Inputs), Address(scales, 0))), Bias: null)).ToArray()),
        ];
        foreach (var rows in (int[])[1, 16, 128, 512])
        {
            Rows x = backend.AllocateRows(rows, Inputs), output = backend.AllocateRows(rows, Outputs);
            var calls = Math.Max(1, 32 / rows);
            double Time(Projection[] projections)
            {
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < calls; i++)
                {
                    backend.Linear(x, projections.AsSpan(i % Matrices, 1), output, rows);
                }

                return Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            Array.ForEach(all, p => Time(p));
            List<double[]> rounds = [.. Enumerable.Range(0, Rounds).Select(_ => all.Select(Time).ToArray())];
            text.Append(CultureInfo.InvariantCulture, $"| {rows} |").AppendJoin("", Kinds.Select((_, k) => string.Create(CultureInfo.InvariantCulture, $" {Statistics.Median([.. rounds.Select(r => r[0] / r[k + 1])]):F2} |"))).AppendLine();
            Console.WriteLine(text.ToString().Split('\n')[^2]);
            x.Buffer.Dispose();
            output.Buffer.Dispose();
        }

        return text.ToString();
    }

    private static PackedMatrix Packed(CodeFormat format, CodeOrder order, DType scale, int group, int blockRows, nint codes, nint scales)
    {
        var groups = Inputs / group;
        return new PackedMatrix
        {
            Format = format,
            Order = order,
            Codes = codes,
            Pitch = format == CodeFormat.E4M3 ? Inputs : Inputs / 2,
            Rows = Outputs,
            Columns = Inputs,
            StoredRows = Outputs,
            RowStep = 1,
            Scales = scales,
            ScaleType = scale,
            BlockRows = blockRows,
            GroupSize = group,
            ScaleRowStride = order == CodeOrder.Rows ? groups : 1,
            ScaleGroupStride = order == CodeOrder.Rows ? 1 : Outputs,
            Zeros = order == CodeOrder.Rows ? 0 : scales,
            ZeroRowStride = 1,
            ZeroGroupStride = Outputs / 8,
            Zero = order == CodeOrder.Rows ? 8 : 0,
        };
    }

    private static byte[] Bytes(Random random, int count, byte mask)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(count, pinned: true);
        random.NextBytes(bytes);
        for (var i = 0; i < count; i++)
        {
            bytes[i] &= mask;
        }

        return bytes;
    }

    private static nint Address(byte[] pinned, int index) => Marshal.UnsafeAddrOfPinnedArrayElement(pinned, index);
}
