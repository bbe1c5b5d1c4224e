using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>From the start of the process to the first token of a model of the 1B shape, and how fast its weights came to the card.</summary>
internal static class StartFigures
{
    /// <summary>Writes a folder with random weights.</summary>
    public static void Write(string folder)
    {
        var shape = StepShape.Small;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), FormattableString.Invariant($$"""
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":{{shape.Vocabulary}},"hidden_size":{{shape.Hidden}},"intermediate_size":{{shape.Inner}},"num_hidden_layers":{{shape.Layers}},
            "num_attention_heads":{{shape.Heads}},"num_key_value_heads":{{shape.KvHeads}},"head_dim":{{shape.HeadDim}},"rms_norm_eps":1e-5,"rope_theta":500000.0,"max_position_embeddings":8192,"hidden_act":"silu",
            "tie_word_embeddings":true,"torch_dtype":"bfloat16","bos_token_id":0,"eos_token_id":1}
            """));
        var tensors = new List<(string Name, int[] Shape)> { ("model.embed_tokens.weight", [shape.Vocabulary, shape.Hidden]), ("model.norm.weight", [shape.Hidden]) };
        for (var i = 0; i < shape.Layers; i++)
        {
            var at = FormattableString.Invariant($"model.layers.{i}.");
            int q = shape.Heads * shape.HeadDim, k = shape.KvHeads * shape.HeadDim;
            tensors.AddRange([
                (at + "input_layernorm.weight", [shape.Hidden]), (at + "post_attention_layernorm.weight", [shape.Hidden]),
                (at + "self_attn.q_proj.weight", [q, shape.Hidden]), (at + "self_attn.k_proj.weight", [k, shape.Hidden]), (at + "self_attn.v_proj.weight", [k, shape.Hidden]), (at + "self_attn.o_proj.weight", [shape.Hidden, q]),
                (at + "mlp.gate_proj.weight", [shape.Inner, shape.Hidden]), (at + "mlp.up_proj.weight", [shape.Inner, shape.Hidden]), (at + "mlp.down_proj.weight", [shape.Hidden, shape.Inner]),
            ]);
        }

        var header = new StringBuilder("{");
        long offset = 0;
        foreach (var (name, sizes) in tensors)
        {
            var bytes = 2L * sizes.Aggregate(1L, (a, b) => a * b);
            header.Append(FormattableString.Invariant($"{(offset == 0 ? "" : ",")}\"{name}\":{{\"dtype\":\"BF16\",\"shape\":[{string.Join(',', sizes)}],\"data_offsets\":[{offset},{offset + bytes}]}}"));
            offset += bytes;
        }

        header.Append('}').Append(' ', (8 - (header.Length % 8)) % 8);
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        file.Write(BitConverter.GetBytes((ulong)header.Length));
        file.Write(Encoding.ASCII.GetBytes(header.ToString()));
        var random = new Random(1);
        var block = new byte[(1 << 24) + 2];
        random.NextBytes(block);
        for (var i = 1; i < block.Length; i += 2)
        {
            block[i] = (byte)((block[i] & 0x80) | 0x3c);
        }

        for (long left = offset; left > 0; left -= Math.Min(left, 1 << 24))
        {
            file.Write(block, 0, (int)Math.Min(left, 1 << 24));
        }
    }

    public static async Task Run(string folder, TextWriter log)
    {
        var started = Process.GetCurrentProcess().StartTime;
        using var before = Environment.GetEnvironmentVariable("GPU_CONTEXT_FIRST") == "1" ? CudaBackend.Create(new CudaOptions()) : null;
        WeightArena.Threads = int.Parse(Environment.GetEnvironmentVariable("GPU_LOAD_THREADS") ?? "8", System.Globalization.CultureInfo.InvariantCulture);
        using var engine = LlmEngine.Load(folder, new EngineOptions { Backend = ComputeBackend.Cuda, Log = log.WriteLine });
        var loaded = DateTime.Now - started;
        await using var generation = engine.Submit(new GenerationRequest { Prompt = Enumerable.Range(10, 32).ToArray(), MaxOutputTokens = 64, Sampling = new SamplingOptions { Temperature = 0 } });
        var first = TimeSpan.Zero;
        var count = 0;
        await foreach (var piece in generation.ReadAllAsync())
        {
            if (piece.Token is not null && count++ == 0)
            {
                first = DateTime.Now - started;
            }
        }

        var total = DateTime.Now - started;
        var device = engine.Stats.Device!;
        log.WriteLine(FormattableString.Invariant($"| {first.TotalSeconds:0.00} | {loaded.TotalSeconds:0.00} | {engine.Stats.LoadTime.TotalSeconds:0.00} | {device.WeightBytes / 1e9:0.00} | {(total - first).TotalMilliseconds / (count - 1):0.00} | {device.CompiledKernels} | {device.TranslatedKernels} | {device.Graphs} | {device.FreeBytes >> 20} of {device.MemoryBytes >> 20} MiB | {device.Prefetch} |"));
    }

    /// <summary>What loading could reach: the file out of the page cache, pinned memory to the card; and what it reaches.</summary>
    public static unsafe void Rates(string folder, TextWriter log)
    {
        using var backend = CudaBackend.Create(new CudaOptions());
        using var file = MemoryMappedFile.CreateFromFile(Path.Combine(folder, "model.safetensors"), FileMode.Open, mapName: null, 0, MemoryMappedFileAccess.Read);
        var length = new FileInfo(Path.Combine(folder, "model.safetensors")).Length / (64 << 20) * (64 << 20);
        double Rate(Action run, long bytes)
        {
            var times = Enumerable.Range(0, 5).Select(_ =>
            {
                var watch = Stopwatch.GetTimestamp();
                run();
                return Stopwatch.GetElapsedTime(watch).TotalSeconds;
            }).ToArray();
            return bytes / Statistics.Median(times) / 1e9;
        }

        var buffers = new ThreadLocal<byte[]>(() => new byte[1 << 20]);
        using var handle = File.OpenHandle(Path.Combine(folder, "model.safetensors"));
        var cache = Rate(() => Parallel.For(0, (int)(length >> 20), i => RandomAccess.Read(handle, buffers.Value, (long)i << 20)), length);
        using var pinned = PinnedMemory.Allocate(backend.Context, 256 << 20);
        using var device = DeviceMemory.Allocate(backend.Context, 256 << 20, "a measurement");
        var pcie = Rate(() =>
        {
            for (var i = 0; i < 8; i++)
            {
                backend.Context.Driver.MemcpyHtoDAsync(device.Value, (void*)pinned.Value, 256 << 20, backend.Stream.Value);
            }

            backend.Synchronize();
        }, 8L * (256 << 20));
        var ours = Rate(() =>
        {
            // A new mapping each time: touching its pages for the first time is part of loading.
            using var view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* from = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref from);
            for (long at = 0; at < length; at += 64 << 20)
            {
                backend.LoadMatrix("w", DType.BF16, 8192, 4096, (nint)(from + at));
            }

            backend.Synchronize();
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }, length);
        log.WriteLine(FormattableString.Invariant($"page cache {cache:0.0} GB/s, pinned memory to the card {pcie:0.0} GB/s; loading {ours:0.0} GB/s, {ours / Math.Min(cache, pcie):0%} of the slower"));
    }

    public static string Header =>
        "| first token (s after the process started) | loaded (s) | LoadTime (s) | weights (GB) | ms a token after it | kernels compiled | translated | graphs | free | prefetch |\n|---|---|---|---|---|---|---|---|---|---|";
}
