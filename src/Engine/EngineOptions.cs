namespace KvPrefetch.Engine;

/// <summary>What computes.</summary>
public enum ComputeBackend
{
    /// <summary>A CUDA device where there is one that can run the model, else the processor; which, and why, is logged.</summary>
    Auto,
    /// <summary>The processor.</summary>
    Cpu,
    /// <summary>A CUDA device; loading fails where there is none.</summary>
    Cuda,
}

/// <summary>What products with weights do to activations on the processor. Either way a token has the same bits alone, in a batch and in a chunk of a prompt.</summary>
public enum Arithmetic
{
    /// <summary>Nothing: they are multiplied in float32.</summary>
    Exact,
    /// <summary>They are rounded to bfloat16 before each product, which is summed in float32, as on graphics cards. On processors with matrix tiles (AMX) prompts and batches are several times faster.</summary>
    Fast,
}

/// <summary>What weights become while a model is loaded, on the processor. Products with quantised weights are of integers: activations are rounded to eight bits, a scale for every 32.
/// A token has the same bits alone, in a batch and in a chunk of a prompt, whatever the kernels.</summary>
public enum WeightFormat
{
    /// <summary>They stay in the type in which they are stored, where they are mapped.</summary>
    AsStored,
    /// <summary>Eight bits and a scale for every 32 inputs: about half the bytes of bfloat16.</summary>
    Int8,
    /// <summary>Four bits, a scale and a minimum for every 32 inputs: about 5/16 of the bytes of bfloat16.</summary>
    Int4,
}

/// <summary>Which kernels compute on the processor.</summary>
public enum CpuKernels
{
    /// <summary>Machine code made for this processor where it helps and the system allows it, else those written in C#.</summary>
    Auto,
    /// <summary>Those written in C#.</summary>
    Managed,
}

/// <summary>How keys and values are kept.</summary>
public enum KvCacheType
{
    /// <summary>As bfloat16 on a card and with <see cref="Arithmetic.Fast"/>, else as float32.</summary>
    Auto,
    /// <summary>Four bytes a number.</summary>
    Float32,
    /// <summary>Two bytes a number: half of the memory, and half of what a long context reads for each token.</summary>
    BFloat16,
    /// <summary>One byte a number and a scale for each token and head: a quarter. On the processor alone.</summary>
    Int8,
}

/// <summary>How an engine is set up. Immutable; every default is meant to be left alone.</summary>
public sealed record EngineOptions
{
    /// <summary>What computes.</summary>
    public ComputeBackend Backend { get; init; }

    /// <summary>Which CUDA device, from 0.</summary>
    public int DeviceIndex { get; init; }

    /// <summary>On a card: which kernel computes attention for sequences that generate.</summary>
    public AttentionKernel Attention { get; init; }

    /// <summary>On a card: what attention asks for before it needs it.</summary>
    public PrefetchPolicy Prefetch { get; init; }

    /// <summary>How far ahead <see cref="PrefetchPolicy.L2"/> asks: fillings of the ring (<see cref="AttentionKernel.Prefetch"/>) or pages of a warp (<see cref="AttentionKernel.Paper"/>).</summary>
    public int PrefetchDistance { get; init; } = 1;

    /// <summary>On a card: attention cuts contexts at fixed places, so that the bits of a sequence that generates do not depend on what else runs; costs a few percent.</summary>
    public bool BatchInvariant { get; init; }

    /// <summary>What products do to activations where the processor computes.</summary>
    public Arithmetic Arithmetic { get; init; }

    /// <summary>What the matrices of linear layers and experts and the output head become while loading. Embeddings, norms, routers and what a checkpoint holds quantised already stay as stored.
    /// <see cref="Arithmetic"/> is then for the products that stay.</summary>
    public WeightFormat Weights { get; init; }

    /// <summary>Folder for quantised weights, so that the next start need not quantise again; it is made where it lacks. Null keeps none.</summary>
    public string? WeightsCache { get; init; }

    /// <summary>Which kernels compute on the processor.</summary>
    public CpuKernels CpuKernels { get; init; }

    /// <summary>Threads that compute; 0 takes the physical cores that this process may use. Engines of one process with as many threads share them.</summary>
    public int Threads { get; init; }

    /// <summary>Longest sequence (prompt and output) a request may reach, in tokens; 0 takes what the model allows and memory holds.</summary>
    public int ContextLength { get; init; }

    /// <summary>Bytes of key-value cache; 0 plans from the memory that is free.</summary>
    public long KvCacheBytes { get; init; }

    /// <summary>Keys and values of prompts and answers stay in the cache as long as there is room, and requests that begin with the same tokens use them. Not for models with windows or recurrent layers,
    /// nor with positions that depend on a text's length, nor with <see cref="BatchInvariant"/>.</summary>
    public bool PrefixCache { get; init; } = true;

    /// <summary>How keys and values are kept.</summary>
    public KvCacheType KvCacheType { get; init; }

    /// <summary>Sequences that may run at once.</summary>
    public int MaxBatchSequences { get; init; } = 64;

    /// <summary>Tokens that one step may compute: prompt chunks and decodes together.</summary>
    public int MaxBatchTokens { get; init; } = 512;

    /// <summary>Requests that may wait beyond those running; one more is refused.</summary>
    public int MaxQueue { get; init; } = 512;

    /// <summary>Receives one sentence for each thing worth knowing while loading (an ignored field, a clamped context).</summary>
    public Action<string>? Log { get; init; }

    /// <exception cref="InvalidRequestException">An option is out of range.</exception>
    internal void Validate()
    {
        Require((int)Backend, (int)ComputeBackend.Auto, (int)ComputeBackend.Cuda, nameof(Backend));
        Require((int)Arithmetic, (int)Arithmetic.Exact, (int)Arithmetic.Fast, nameof(Arithmetic));
        Require((int)Weights, (int)WeightFormat.AsStored, (int)WeightFormat.Int4, nameof(Weights));
        Require((int)CpuKernels, (int)CpuKernels.Auto, (int)CpuKernels.Managed, nameof(CpuKernels));
        Require((int)KvCacheType, (int)KvCacheType.Auto, (int)KvCacheType.Int8, nameof(KvCacheType));
        RequireNotBlank(WeightsCache, nameof(WeightsCache));
        Require(DeviceIndex, 0, 255, nameof(DeviceIndex));
        Require((int)Attention, (int)AttentionKernel.Prefetch, (int)AttentionKernel.Reference, nameof(Attention));
        Require((int)Prefetch, (int)PrefetchPolicy.Auto, (int)PrefetchPolicy.Rings, nameof(Prefetch));
        Require(PrefetchDistance, 1, 8, nameof(PrefetchDistance));
        Require(Threads, 0, 1024, nameof(Threads));
        Require(ContextLength, 0, int.MaxValue, nameof(ContextLength));
        Require(KvCacheBytes, 0, long.MaxValue, nameof(KvCacheBytes));
        Require(MaxBatchSequences, 1, 4096, nameof(MaxBatchSequences));
        Require(MaxBatchTokens, 1, 1 << 16, nameof(MaxBatchTokens));
        Require(MaxQueue, 0, 1 << 20, nameof(MaxQueue));
    }

    private static void RequireNotBlank(string? path, string name)
    {
        if (path is not null && string.IsNullOrWhiteSpace(path))
        {
            throw new InvalidRequestException($"{name} is blank; give the path of a folder, or null for none.", name);
        }
    }

    private static void Require(long value, long min, long max, string name)
    {
        if (value < min || value > max)
        {
            throw new InvalidRequestException(FormattableString.Invariant($"{name} is {value}; the range is {min} to {max}."), name);
        }
    }
}

/// <summary>How far loading has come.</summary>
/// <param name="Stage">What is being done, in a word or two.</param>
/// <param name="Fraction">0 to 1 over the whole of loading.</param>
public readonly record struct ModelLoadProgress(string Stage, double Fraction);

/// <summary>What the engine is doing, read at any time from any thread.</summary>
public sealed record EngineStats
{
    public required string Backend { get; init; }
    public required int Threads { get; init; }
    public required int RunningSequences { get; init; }
    public required int WaitingSequences { get; init; }

    /// <summary>Sequences that the last step computed on; 0 while idle.</summary>
    public required int BatchSequences { get; init; }
    public required int PagesUsed { get; init; }
    public required int PagesTotal { get; init; }
    public required long KvCacheBytes { get; init; }
    public required long PromptTokens { get; init; }
    public required long GeneratedTokens { get; init; }

    /// <summary>Tokens of prompts whose keys and values were found in the cache; <see cref="PromptTokens"/> are those computed.</summary>
    public required long PrefixHitTokens { get; init; }
    public required long Preemptions { get; init; }
    public required TimeSpan LoadTime { get; init; }

    /// <summary>Null where the processor computes.</summary>
    public DeviceStats? Device { get; init; }

    /// <summary>True after an error that the engine cannot recover from.</summary>
    public required bool Faulted { get; init; }
}

/// <summary>The CUDA device that an engine computes on.</summary>
/// <param name="Name">As its maker calls it.</param>
/// <param name="MemoryBytes">All of its memory.</param>
/// <param name="FreeBytes">What nobody holds: neither this engine nor any other program.</param>
/// <param name="WeightBytes">What the weights take.</param>
/// <param name="Graphs">Steps that were recorded and are repeated as a whole, one for each number of sequences that has come up.</param>
/// <param name="CompiledKernels">Kernels that had to be compiled; 0 where all were in the kernel cache.</param>
/// <param name="TranslatedKernels">Kernels that came with the package and were translated by the driver, because there is no compiler.</param>
/// <param name="Prefetch">What attention asks for ahead.</param>
public sealed record DeviceStats(string Name, long MemoryBytes, long FreeBytes, long WeightBytes, int Graphs, int CompiledKernels, int TranslatedKernels, PrefetchPolicy Prefetch);
