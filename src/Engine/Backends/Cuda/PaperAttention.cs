using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Decode attention in the structure of the paper's baseline, with or without its prefetch: what ours is compared with. See paged_attention_paper.cu.</summary>
internal sealed class PaperAttention(KernelCache kernels, int headDim, int kvType, PrefetchMode prefetch, int distance = 1)
{
    private const int TileTokens = 16384;
    private readonly CudaKernel _kernel = kernels.Get(Spec(headDim, kvType, prefetch, distance));

    public CudaKernel Kernel => _kernel;

    /// <param name="headDim">A multiple of 16, at most 256.</param>
    /// <param name="kvType">1 float16, 2 bfloat16.</param>
    /// <param name="prefetch">Off, L2 or Control.</param>
    /// <param name="distance">In pages of a warp.</param>
    public static unsafe KernelSpec Spec(int headDim, int kvType, PrefetchMode prefetch, int distance = 1) => new("paged_attention_paper", sizeof(PaperParams), 128)
    {
        Defines =
        [
            ("HEAD_DIM", headDim),
            ("ELEMENT_F16", kvType == 1 ? 1 : 0),
            ("PREFETCH", prefetch switch { PrefetchMode.L2 => 1, PrefetchMode.Control => 2, _ => 0 }),
            ("PREFETCH_DISTANCE", distance),
            ("TILE_TOKENS", TileTokens),
        ],
        SharedBytes = TileTokens * sizeof(float),
    };

    /// <param name="stream">Where.</param>
    /// <param name="inputs">Queries and output are float32.</param>
    /// <param name="longest">Tokens of the longest context: shared memory is taken for no more, and for a tile at most.</param>
    public void Launch(CudaStream stream, in PagedAttentionInputs inputs, int longest = TileTokens)
    {
        var shape = inputs.Shape;
        var parameters = new PaperParams
        {
            Q = inputs.Q,
            Output = inputs.Output,
            Keys = inputs.Keys,
            Values = inputs.Values,
            Positions = inputs.Positions,
            RowStarts = inputs.RowStarts,
            BlockTableStarts = inputs.BlockTableStarts,
            BlockTables = inputs.BlockTables,
            Sinks = shape.Sinks?.Address ?? 0,
            QStride = inputs.QStride,
            OutputStride = inputs.OutputStride,
            KvHeads = shape.KvHeads,
            Group = shape.Heads / shape.KvHeads,
            Window = shape.Window,
            Scale = shape.Scale,
            SoftCap = shape.SoftCap,
            GrowthBeta = shape.Growth.Beta,
            GrowthLength = Math.Max(1, shape.Growth.Length),
        };
        _kernel.Launch(stream, shape.Heads, inputs.Sequences, 1, parameters, Math.Min(TileTokens, (longest + 31) / 16 * 16) * sizeof(float));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct PaperParams
    {
        public nint Q;
        public nint Output;
        public nint Keys;
        public nint Values;
        public nint Positions;
        public nint RowStarts;
        public nint BlockTableStarts;
        public nint BlockTables;
        public nint Sinks;
        public long QStride;
        public long OutputStride;
        public int KvHeads;
        public int Group;
        public int Window;
        public float Scale;
        public float SoftCap;
        public float GrowthBeta;
        public int GrowthLength;
        public int Reserved;
    }
}
