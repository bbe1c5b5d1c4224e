using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Steps that are recorded once and repeated: decode steps with as many sequences launch the same kernels with the same arguments, only the integers that are uploaded differ.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>By the number of sequences; null: seen once, not yet recorded.</summary>
    private readonly Dictionary<int, CudaGraph?> _graphs = [];

    /// <summary>Recorded steps.</summary>
    public int Graphs => _graphs.Values.Count(g => g is not null);

    public void Run(int key, Action launch)
    {
        _context.MakeCurrent();
        if (key == 0)
        {
            launch();
        }
        else if (!_graphs.TryGetValue(key, out var graph))
        {
            // The first time compiles kernels and allocates, which a recording may not.
            launch();
            _graphs.Add(key, null);
        }
        else
        {
            (_graphs[key] = graph ?? CudaGraph.Record(_context, _stream, launch)).Launch(_stream);
        }
    }
}
