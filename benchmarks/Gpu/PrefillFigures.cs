using System.Globalization;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>Prompts of an 8B Llama of random weights, whole and in chunks, with and without cuBLASLt, beside the rate of a large matrix product in the same run.</summary>
internal static unsafe class PrefillFigures
{
    private const int Rounds = 5;

    public static void Run(TextWriter log)
    {
        var shape = StepShape.Large;
        log.WriteLine("| 8B, prompt / chunk | products by | ms | TFLOP/s | share of the product's rate | tokens/s | of it products, attention (with 16 rows a warp), ms |");
        log.WriteLine("|---|---|---|---|---|---|---|");
        var rate = 0.0;
        foreach (var library in (ICublasLt?[])[CublasLt.Find(), null])
        {
            using var backend = CudaBackend.Create(CudaDriver.Find(out _)!, Nvrtc.Find(out _), new CudaOptions { KernelFolder = Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE") }, cublas: library);
            if (library is not null)
            {
                rate = ProductRate(backend, library);
                log.WriteLine(FormattableString.Invariant($"| bf16 product 8192^3 | cuBLASLt | {2 * Math.Pow(8192, 3) / rate * 1e3:0.00} | {rate / 1e12:0} | 100 % | | |"));
                log.Flush();
            }

            using var model = new StepModel(backend, shape, 1, 8192);
            foreach (var (prompt, chunk) in (((int, int)[])(library is null ? [(2048, 2048)] : [(2048, 2048), (8192, 8192), (8192, 2048), (2048, 512)])))
            {
                var by = library is null ? "our kernel" : "cuBLASLt";
                var flops = (2.0 * prompt * ((shape.WeightBytes / 2) - ((long)shape.Vocabulary * shape.Hidden))) + (2.0 * shape.Layers * shape.Heads * shape.HeadDim * prompt * prompt) + (2.0 * shape.Vocabulary * shape.Hidden);
                using var pages = backend.AllocateKvPages(KvLayout.Uniform(shape.Layers, shape.KvHeads, shape.HeadDim, 16), [(prompt + 15) / 16]);
                using var integers = backend.AllocateInts((4 * chunk) + prompt + 64);
                var whole = Time(backend, () =>
                {
                    for (var start = 0; start < prompt; start += chunk)
                    {
                        model.Decoder.Forward(model.Chunk(pages, integers, start, chunk));
                    }
                });
                var scratch = model.Scratch;
                var products = Time(backend, () =>
                {
                    for (var start = 0; start < prompt; start += chunk)
                    {
                        foreach (var block in model.Blocks)
                        {
                            if (block.Mixer is Attention a)
                            {
                                backend.Linear(scratch.Normed, a.Qkv, scratch.Qkv, chunk);
                                backend.Linear(scratch.Mixed, a.Output, scratch.Delta, chunk);
                            }
                            else if (block.Mixer is GatedMlp m)
                            {
                                backend.Linear(scratch.Normed, m.GateUp, scratch.GateUp, chunk);
                                backend.Linear(scratch.Inner, m.Down, scratch.Delta, chunk);
                            }
                        }
                    }
                });
                double Attend(int rowTiles)
                {
                    backend.Reconfigure(new CudaOptions { PrefillRowTiles = rowTiles });
                    var time = Time(backend, () =>
                    {
                        for (var start = 0; start < prompt; start += chunk)
                        {
                            var step = model.Chunk(pages, integers, start, chunk);
                            for (var layer = 0; layer < shape.Layers; layer++)
                            {
                                backend.PagedAttention(step, layer, scratch.Qkv.Slice(0, model.Attention.QueryColumns), scratch.Mixed, model.Attention);
                            }
                        }
                    });
                    backend.Reconfigure(new CudaOptions());
                    return time;
                }

                var (attention, narrow) = (Attend(0), Attend(1));
                log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {prompt} / {chunk} | {by} | {whole:0.0} | {flops / whole / 1e9:0} | {(rate > 0 ? flops / whole * 1e3 / rate : 0):0.0%} | {prompt / whole * 1e3:0} | {products:0.0}, {attention:0.0} ({narrow:0.0}) |"));
                log.Flush();
            }
        }
    }

    private static double ProductRate(CudaBackend backend, ICublasLt library)
    {
        const int Size = 8192;
        var values = new ushort[Size * Size];
        var random = new Random(1);
        random.NextBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()));
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (ushort)((values[i] & 0x80ff) | 0x3c80);
        }

        fixed (ushort* p = values)
        {
            var x = backend.LoadMatrix("x", DType.BF16, Size, Size, (nint)p).Data.Address;
            var target = new Target { Weights = backend.LoadMatrix("w", DType.BF16, Size, Size, (nint)p).Data.Address, Outputs = Size };
            var output = new RowsView(backend.AllocateRows(Size, Size));
            using var products = new LargeProducts(backend.Context, library);
            var time = Time(backend, () =>
            {
                for (var i = 0; i < 5; i++)
                {
                    products.TryMultiply(backend.Stream, DType.BF16, x, target, Size, output, Size);
                }
            });
            return 2 * Math.Pow(Size, 3) * 5 / time * 1e3;
        }
    }

    /// <summary>Milliseconds, the median of several.</summary>
    private static double Time(CudaBackend backend, Action launch)
    {
        launch();
        backend.Synchronize();
        using var start = CudaEvent.Create(backend.Context, timing: true);
        using var end = CudaEvent.Create(backend.Context, timing: true);
        var times = new double[Rounds];
        for (var round = 0; round < Rounds; round++)
        {
            start.Record(backend.Stream);
            launch();
            end.Record(backend.Stream);
            backend.Synchronize();
            times[round] = end.MillisecondsSince(start);
        }

        return Statistics.Median(times);
    }
}
