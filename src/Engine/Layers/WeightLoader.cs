using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Engine.Layers;

/// <summary>Binds a checkpoint's tensors by name and shape and hands them to a backend.</summary>
internal sealed unsafe class WeightLoader(WeightBinder binder, IBackend backend)
{
    public IBackend Backend => backend;

    /// <summary>Bytes of the matrices bound so far.</summary>
    public long MatrixBytes { get; private set; }

    /// <summary>Elements of everything bound so far.</summary>
    public long Parameters { get; private set; }

    /// <summary>The matrix <c>[rows, columns]</c>.</summary>
    public Weight Matrix(string name, int rows, int columns)
    {
        var tensor = binder.Bind(name, [rows, columns]);
        var weight = backend.LoadMatrix(name, tensor.Type, rows, columns, (nint)tensor.Address);
        MatrixBytes += weight.ByteLength;
        Parameters += (long)rows * columns;
        return weight;
    }

    /// <summary>The vector <c>[length]</c> as float32.</summary>
    public DeviceBuffer Vector(string name, int length)
    {
        var tensor = binder.Bind(name, [length]);
        Parameters += length;
        return backend.LoadVector(name, tensor.Type, length, (nint)tensor.Address);
    }

    /// <summary><c>name.weight</c> and, if asked for, <c>name.bias</c>.</summary>
    public Projection Linear(string name, int outputs, int inputs, bool bias) =>
        new(Matrix(name + ".weight", outputs, inputs), bias ? Vector(name + ".bias", outputs) : null);
}
