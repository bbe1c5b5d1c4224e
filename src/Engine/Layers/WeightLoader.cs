using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Layers;

/// <summary>Binds a checkpoint's tensors by name and shape and hands them to a backend. A missing tensor gives an empty weight until <see cref="Complete"/> reports it with all others.</summary>
internal sealed unsafe partial class WeightLoader
{
    private readonly WeightBinder _binder;
    private readonly string _prefix;
    private readonly Totals _totals;

    public WeightLoader(WeightBinder binder, IBackend backend) : this(binder, backend, "", new Totals())
    {
    }

    private WeightLoader(WeightBinder binder, IBackend backend, string prefix, Totals totals) => (_binder, Backend, _prefix, _totals) = (binder, backend, prefix, totals);

    public IBackend Backend { get; }

    /// <summary>How linear layers are quantised; null for plain weights. To be set before the first is bound.</summary>
    public Quantisation? Quantisation
    {
        get => _totals.Quantisation;
        set => _totals.Quantisation = value;
    }

    /// <summary>Elements of everything bound so far.</summary>
    public long Parameters => _totals.Parameters;

    /// <summary>The same loader with a longer prefix before every name, such as <c>model.layers.3.</c></summary>
    public WeightLoader Scope(string prefix) => new(_binder, Backend, _prefix + prefix, _totals);

    /// <summary>The same loader for a model whose names stand elsewhere in this checkpoint; see <see cref="WeightBinder.Renamed"/>.</summary>
    public WeightLoader Renamed(params (string From, string To)[] renamed) => new(_binder.Renamed(renamed), Backend, _prefix, _totals);

    /// <summary>Leaves alone the tensors for which <paramref name="predicate"/> says yes; it sees names as the checkpoint has them.</summary>
    public void Ignore(Func<string, bool> predicate) => _binder.Ignore(predicate);

    /// <summary>Leaves tensors alone whose full name ends so.</summary>
    public void IgnoreSuffix(string suffix) => _binder.IgnoreSuffix(suffix);

    /// <summary>Leaves tensors alone whose name begins so.</summary>
    public void IgnorePrefix(string prefix) => _binder.IgnorePrefix(_prefix + prefix);

    /// <summary>True when the checkpoint has a tensor of this name.</summary>
    public bool Contains(string name) => _binder.Contains(_prefix + name);

    /// <summary>Host memory with weights that could not be used where they are mapped; whoever owns the model gives it back.</summary>
    public IReadOnlyList<DeviceBuffer> Copies => [.. _totals.Copies, .. _totals.Kept];

    /// <summary>To be called when everything is bound and before anything is allocated: throws when tensors are missing or left over.</summary>
    public void Complete()
    {
        LeaveActivationScales();
        _binder.Complete();
        QuantisePending();
        if (_totals.Copies.Count > 0)
        {
            _binder.Log($"{_totals.Copies.Count} matrices are used the other way round than they are stored; transposed copies take {_totals.Copies.Sum(c => c.Length * c.Type.ByteSize())} bytes.");
        }
    }

    /// <summary>The matrix <c>[rows, columns]</c>.</summary>
    public Weight Matrix(string name, int rows, int columns)
    {
        var tensor = _binder.Bind(_prefix + name, rows, columns);
        _totals.Parameters += (long)rows * columns;
        return tensor.Exists
            ? Backend.LoadMatrix(_prefix + name, tensor.Type, rows, columns, (nint)tensor.Address)
            : Nothing(name, rows, columns);
    }

    /// <summary>The vector <c>[length]</c> as float32, <paramref name="offset"/> added to every element.</summary>
    public DeviceBuffer Vector(string name, int length, float offset = 0) => Vector(name, [length], offset);

    /// <summary>A tensor of any shape as float32, one element after the other.</summary>
    public DeviceBuffer Vector(string name, long[] shape, float offset = 0)
    {
        var tensor = _binder.Bind(_prefix + name, shape);
        var length = checked((int)shape.Aggregate(1L, (product, n) => checked(product * n)));
        _totals.Parameters += length;
        return tensor.Exists ? Backend.LoadVector(_prefix + name, tensor.Type, length, (nint)tensor.Address, offset) : DeviceBuffer.OnHost(DType.F32, 0);
    }

    /// <summary>A gain of ones, for a norm that has no weights.</summary>
    public DeviceBuffer Ones(int length) => Computed("ones", [.. Enumerable.Repeat(1f, length)]);

    /// <summary>The vector <c>[length]</c> as float32, every element multiplied.</summary>
    public DeviceBuffer ScaledVector(string name, int length, float factor) => Computed(name, [.. Elements(_binder.Bind(_prefix + name, length), length).Select(v => v * factor)]);

    /// <summary>The small matrix <c>[rows, columns]</c> as float32, with no element beyond <paramref name="limit"/>.</summary>
    public Weight ClampedMatrix(string name, int rows, int columns, float limit)
    {
        var values = Elements(_binder.Bind(_prefix + name, rows, columns), checked(rows * columns));
        if (values.Length == 0)
        {
            return Nothing(name, rows, columns);
        }

        var copy = DeviceBuffer.OnHost(DType.F32, values.Length);
        _totals.Kept.Add(copy);
        values.Select(v => Math.Clamp(v, -limit, limit)).ToArray().CopyTo(new Span<float>((void*)copy.Address, values.Length));
        return Backend.LoadMatrix(_prefix + name, DType.F32, rows, columns, copy.Address);
    }

    /// <summary>Kernels of convolutions <c>[columns, 1, width]</c> that stand side by side, as one.</summary>
    /// <param name="names">Their tensors.</param>
    /// <param name="columns">Columns of each.</param>
    /// <param name="width">Inputs that each covers.</param>
    public DeviceBuffer Kernels(string[] names, int[] columns, int width)
    {
        // One version of the reference cuts the joined kernel into equal parts, whatever the columns of each: only the whole has a meaning then.
        var equal = (columns.Sum() + names.Length - 1) / names.Length;
        int[] cut = _binder.FirstDimension(_prefix + names[0]) == columns[0] ? columns : [.. names.Select((_, i) => Math.Clamp(columns.Sum() - (i * equal), 0, equal))];
        var tensors = names.Select((name, i) => _binder.Bind(_prefix + name, cut[i], 1, width)).ToArray();
        var length = checked(columns.Sum() * width);
        _totals.Parameters += length;
        if (!Array.TrueForAll(tensors, t => t.Exists))
        {
            return DeviceBuffer.OnHost(DType.F32, 0);
        }

        if (!Array.TrueForAll(tensors, t => t.Type == tensors[0].Type))
        {
            throw new UnsupportedModelException($"'{_prefix + names[0]}' and the kernels beside it are stored in different types.", _prefix + names[0]);
        }

        byte[] all = [.. tensors.SelectMany(t => t.Bytes.ToArray())];
        fixed (byte* address = all)
        {
            return Backend.LoadVector(_prefix + names[0], tensors[0].Type, length, (nint)address);
        }
    }

    /// <summary><c>name.weight</c>, or what it is quantised to, and, if asked for, <c>name.bias</c>.</summary>
    public Projection Linear(string name, int outputs, int inputs, bool bias = false) => TryPacked(name, outputs, inputs, out var packed)
        ? new(Packed(packed, name, outputs, inputs), bias || HasOwnBias(name) ? Vector(name + ".bias", outputs) : null)
        : new(RowsOf(Whole(name + ".weight", outputs, inputs), name + ".weight", 0, outputs, inputs), bias ? Vector(name + ".bias", outputs) : null);

    /// <summary><c>name.weight</c> as an RMS norm; some families store its gain less one.</summary>
    public Norm RmsNorm(string name, int width, float epsilon, float offset = 0) => new(Vector(name + ".weight", width, offset), Bias: null, epsilon, Centered: false);

    /// <summary><c>name.weight</c> and, if asked for, <c>name.bias</c> as a layer norm.</summary>
    public Norm LayerNorm(string name, int width, float epsilon, bool bias = true, float offset = 0) =>
        new(Vector(name + ".weight", width, offset), bias ? Vector(name + ".bias", width) : null, epsilon, Centered: true);

    /// <summary>gate_proj, up_proj, down_proj.</summary>
    public GatedMlp GatedMlp(int hidden, int inner, Activation activation, bool bias = false) =>
        new([Linear("gate_proj", inner, hidden, bias), Linear("up_proj", inner, hidden, bias)], [Linear("down_proj", hidden, inner, bias)], activation);

    /// <summary>gate_up_proj, down_proj.</summary>
    public GatedMlp FusedGatedMlp(int hidden, int inner, Activation activation) =>
        new([Linear("gate_up_proj", 2 * inner, hidden)], [Linear("down_proj", hidden, inner)], activation);

    /// <summary>q_norm and k_norm, each head by itself or all together.</summary>
    public QkNorm QkNorm(AttentionShape shape, float epsilon, bool wholeRow = false, float offset = 0, string query = "q_norm", string key = "k_norm") => new(
        Vector(query + ".weight", wholeRow ? shape.QueryColumns : shape.HeadDim, offset),
        Vector(key + ".weight", wholeRow ? shape.KeyColumns : shape.HeadDim, offset),
        epsilon,
        wholeRow);

    private DeviceBuffer Computed(string name, float[] values)
    {
        fixed (float* address = values)
        {
            return values.Length == 0 ? DeviceBuffer.OnHost(DType.F32, 0) : Backend.LoadVector(_prefix + name, DType.F32, values.Length, (nint)address);
        }
    }

    /// <summary>The elements of a bound tensor on the host; none where it is missing.</summary>
    private float[] Elements(TensorView tensor, int length)
    {
        _totals.Parameters += length;
        return !tensor.Exists ? [] : [.. Enumerable.Range(0, length).Select(i => tensor.Type switch
        {
            DType.F32 => Unsafe.ReadUnaligned<float>(tensor.Address + (4L * i)),
            DType.BF16 => FloatFormats.BFloat16ToSingle(Unsafe.ReadUnaligned<ushort>(tensor.Address + (2L * i))),
            DType.F16 => FloatFormats.HalfToSingle(Unsafe.ReadUnaligned<ushort>(tensor.Address + (2L * i))),
            _ => throw new UnsupportedModelException($"Tensor {Excerpt.Of(tensor.Name)} is stored as {tensor.Type}; weights may be F32, F16 or BF16.", tensor.Name),
        })];
    }

    /// <summary>What stands for a matrix that is missing.</summary>
    private static Weight Nothing(string name, int rows, int columns) => new(name, DType.F32, rows, columns, DeviceBuffer.OnHost(DType.F32, 0));

    private sealed class Totals
    {
        public Quantisation? Quantisation { get; set; }
        public WeightFormat Format { get; set; }
        public WeightsCache? Cache { get; set; }
        public Action<double>? Quantising { get; set; }
        public List<(Weight Weight, DType Type, Func<(nint Address, DeviceBuffer? Copy)> Source, bool IsMapped)> Pending { get; } = [];
        public nint ArenaNext { get; set; }
        public long ArenaLeft { get; set; }
        public long Parameters { get; set; }
        public List<DeviceBuffer> Copies { get; } = [];
        public List<DeviceBuffer> Kept { get; } = [];
    }
}
