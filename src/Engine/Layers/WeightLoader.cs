using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Layers;

/// <summary>Binds a checkpoint's tensors by name and shape and hands them to a backend. A missing tensor gives an empty weight until <see cref="Complete"/> reports it with all others.</summary>
internal sealed unsafe class WeightLoader(WeightBinder binder, IBackend backend)
{
    public IBackend Backend => backend;

    /// <summary>Bytes of the matrices bound so far.</summary>
    public long MatrixBytes { get; private set; }

    /// <summary>Elements of everything bound so far.</summary>
    public long Parameters { get; private set; }

    /// <summary>Leaves tensors alone whose name ends so.</summary>
    public void IgnoreSuffix(string suffix) => binder.IgnoreSuffix(suffix);

    /// <summary>To be called when everything is bound and before anything is allocated: throws when tensors are missing or left over.</summary>
    public void Complete() => binder.Complete();

    /// <summary>The matrix <c>[rows, columns]</c>.</summary>
    public Weight Matrix(string name, int rows, int columns)
    {
        var tensor = binder.Bind(name, rows, columns);
        var weight = !tensor.Exists ? new Weight(name, DType.F32, 0, 0, DeviceBuffer.OnHost(DType.F32, 0)) : backend.LoadMatrix(name, tensor.Type, rows, columns, (nint)tensor.Address);
        MatrixBytes += weight.ByteLength;
        Parameters += (long)rows * columns;
        return weight;
    }

    /// <summary>The vector <c>[length]</c> as float32.</summary>
    public DeviceBuffer Vector(string name, int length)
    {
        var tensor = binder.Bind(name, length);
        Parameters += length;
        return !tensor.Exists ? DeviceBuffer.OnHost(DType.F32, 0) : backend.LoadVector(name, tensor.Type, length, (nint)tensor.Address);
    }

    /// <summary><c>name.weight</c> and, if asked for, <c>name.bias</c>.</summary>
    public Projection Linear(string name, int outputs, int inputs, bool bias) =>
        new(Matrix(name + ".weight", outputs, inputs), bias ? Vector(name + ".bias", outputs) : null);
}
