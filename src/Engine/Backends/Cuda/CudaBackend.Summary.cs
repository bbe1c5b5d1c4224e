using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>What a draw needs of rows of logits: three launches, and some integers to the host instead of the rows.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>Integers that logit_parts writes for a part.</summary>
    private const int PartLength = LogitSummary.HeadLength + (2 * LogitSummary.Candidates);

    private DeviceBuffer? _parts;

    public bool Summarises(int vocabulary) => Blocks(vocabulary, CudaKernels.LogitPart) <= CudaKernels.MaxLogitParts;

    public void Summarise(Rows logits, LogitSummary summary, int rows, bool draws)
    {
        _context.MakeCurrent();
        var count = Blocks(summary.Vocabulary, CudaKernels.LogitPart);
        if (_parts is null || _parts.Length < (long)summary.Rows * count * PartLength)
        {
            _parts = Allocate(DType.I32, checked((long)summary.Rows * count * PartLength), "candidates for the next tokens");
        }

        nint settings = summary.Settings.Address, heads = summary.Results.Address, bodies = heads + (summary.Body(0) * sizeof(int));
        Kernel(CudaKernels.LogitParts).Launch(_stream, count, rows, 1, new LogitPartsParams { Logits = new(logits), Settings = settings, Parts = _parts.Address, Vocabulary = summary.Vocabulary, Count = count });
        Kernel(CudaKernels.LogitRows).Launch(_stream, rows, 1, 1, new LogitRowsParams { Settings = settings, Parts = _parts.Address, Heads = heads, Bodies = bodies, Count = count, BodyLength = summary.BodyLength });
        if (draws)
        {
            var runs = Kernel(CudaKernels.LogitRuns);
            runs.Launch(_stream, Blocks(summary.Runs, runs.Spec.Threads / 16), rows, 1,
                new LogitRunsParams { Logits = new(logits), Settings = settings, Heads = heads, Bodies = bodies, Vocabulary = summary.Vocabulary, BodyLength = summary.BodyLength });
        }
    }

    public ReadOnlySpan<int> DownloadInts(DeviceBuffer integers, int count) => _download.Integers(integers, count);
}
