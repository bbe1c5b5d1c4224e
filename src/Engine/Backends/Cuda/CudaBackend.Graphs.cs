using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Steps that are recorded once and repeated: decode steps with as many sequences launch the same kernels with the same arguments, only the integers that are uploaded differ.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>By the number of sequences; null: seen once, not yet recorded.</summary>
    private readonly Dictionary<int, CudaGraph?> _graphs = [];

    private bool _withoutGraphs;

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
            if (graph is null && !_withoutGraphs)
            {
                graph = Record(launch);
                _graphs[key] = graph;
            }

            if (graph is null)
            {
                launch();
            }
            else
            {
                graph.Launch(_stream);
            }
        }
    }

    /// <summary>Null where there is no memory for recordings: from then on steps are launched kernel by kernel.</summary>
    private CudaGraph? Record(Action launch)
    {
        try
        {
            return CudaGraph.Record(_context, _stream, launch);
        }
        catch (DeviceOutOfMemoryException)
        {
            _withoutGraphs = true;
            return null;
        }
    }
}
