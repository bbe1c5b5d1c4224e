using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Layers;

/// <summary>Weights that are quantised while loading: matrices of products are noted as they are bound, and quantised once everything is known to be there, or taken from a cache.</summary>
internal sealed unsafe partial class WeightLoader
{
    /// <summary>Address space for panels is asked for in pieces of this size at least; what is not used of it costs nothing.</summary>
    private const long ArenaBytes = 64L << 20;

    /// <summary>What matrices of products become. To be set before the first is bound.</summary>
    public WeightFormat Format
    {
        get => _totals.Format;
        set => _totals.Format = value;
    }

    /// <summary>Quantised weights of an earlier start, and where those of this one go; or null. To be set likewise.</summary>
    public WeightsCache? Cache
    {
        get => _totals.Cache;
        set => _totals.Cache = value;
    }

    /// <summary>Told before each matrix that is quantised which share is done, 0 to 1; may throw to give up.</summary>
    public Action<double>? Quantising
    {
        get => _totals.Quantising;
        set => _totals.Quantising = value;
    }

    /// <summary>As <see cref="Linear"/>, but never quantised while loading: where a little error chooses another expert.</summary>
    public Projection Router(string name, int outputs, int inputs, bool bias = false) => AsStored(() => Linear(name, outputs, inputs, bias));

    /// <summary>The table of embeddings as output head; the table itself stays as stored.</summary>
    public Projection TiedHead(Weight table) =>
        new(table.Data.Length == 0 ? table : Product(table.Name, table.Type, table.Rows, table.Columns, table.Data.Address, isMapped: true), Bias: null);

    /// <summary>A matrix of a product, from where it is mapped.</summary>
    private Weight Product(string name, DType type, int rows, int columns, nint address, bool isMapped) =>
        IsQuantised(type, rows, columns) ? Quantised(name, type, rows, columns, () => (address, null), isMapped) : Backend.LoadMatrix(name, type, rows, columns, address);

    /// <summary>A matrix of a product, from a copy, which is made where and when it is needed.</summary>
    private Weight Product(string name, DType type, int rows, int columns, Func<DeviceBuffer> copy)
    {
        if (IsQuantised(type, rows, columns))
        {
            return Quantised(name, type, rows, columns, () => copy() is var made ? (made.Address, made) : default, isMapped: false);
        }

        var kept = copy();
        _totals.Copies.Add(kept);
        return Backend.LoadMatrix(name, type, rows, columns, kept.Address);
    }

    /// <summary>What is bound meanwhile is not quantised.</summary>
    private T AsStored<T>(Func<T> bind)
    {
        var format = _totals.Format;
        _totals.Format = WeightFormat.AsStored;
        var bound = bind();
        _totals.Format = format;
        return bound;
    }

    private bool IsQuantised(DType type, int rows, int columns) => _totals.Format != WeightFormat.AsStored && type is DType.F32 or DType.F16 or DType.BF16 && GroupedLayout.Serves(rows, columns);

    private Weight Quantised(string name, DType type, int rows, int columns, Func<(nint Address, DeviceBuffer? Copy)> source, bool isMapped)
    {
        var bytes = GroupedLayout.Bytes(_totals.Format, rows, columns);
        if (_totals.Cache is { IsFilled: true } filled)
        {
            return Backend.LoadGrouped(name, _totals.Format, rows, columns, new DeviceBuffer(filled.Next(name, bytes), DType.U8, bytes, owner: null));
        }

        var weight = Backend.LoadGrouped(name, _totals.Format, rows, columns, Allocate(bytes));
        _totals.Pending.Add((weight, type, source, isMapped));
        return weight;
    }

    /// <summary>From a piece that whoever owns the model gives back.</summary>
    private DeviceBuffer Allocate(long bytes)
    {
        if (_totals.ArenaLeft < bytes)
        {
            _totals.ArenaLeft = Math.Max(bytes, ArenaBytes);
            var arena = DeviceBuffer.OnHost(DType.U8, _totals.ArenaLeft);
            _totals.Kept.Add(arena);
            _totals.ArenaNext = arena.Address;
        }

        var buffer = new DeviceBuffer(_totals.ArenaNext, DType.U8, bytes, owner: null);
        (_totals.ArenaNext, _totals.ArenaLeft) = (_totals.ArenaNext + checked((nint)bytes), _totals.ArenaLeft - bytes);
        return buffer;
    }

    private void QuantisePending()
    {
        double done = 0, all = _totals.Pending.Sum(p => (double)p.Weight.Data.Length);
        foreach (var (weight, type, source, isMapped) in _totals.Pending)
        {
            _totals.Quantising?.Invoke(done / all);
            var (address, copy) = source();
            Backend.Quantise(weight, type, address, isMapped);
            copy?.Dispose();
            done += weight.Data.Length;
        }

        if (_totals.Cache is { IsFilled: false } empty && _totals.Pending.Count > 0)
        {
            _binder.RequireUnchanged();
            empty.Write([.. _totals.Pending.Select(p => (p.Weight.Name, p.Weight.Data.Address, p.Weight.Data.Length))]);
        }

        _totals.Pending.Clear();
    }
}
