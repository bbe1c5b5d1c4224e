using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Layers;

/// <summary>Quantised linear layers: binds the tensors that a module's scheme says, checks them and describes what is stored; nothing is copied.</summary>
internal sealed unsafe partial class WeightLoader
{
    /// <summary>Codes in a word of 32 bits.</summary>
    private const int PerWord = 8;

    /// <summary>Inputs of an MXFP4 block, and its bytes.</summary>
    private const int BlockInputs = 32, BlockBytes = 16;

    /// <summary>A linear layer's matrix, plain or packed, of which parts are used by themselves.</summary>
    private readonly record struct WholeMatrix(TensorView Tensor, bool IsPacked, PackedMatrix? Packed);

    /// <summary>True where the module is stored quantised; the matrix is null when one of its tensors is missing. A module that the config lists as plain, or whose <c>weight</c> is there as it is, is not.</summary>
    private bool TryPacked(string name, int outputs, int inputs, out PackedMatrix? matrix)
    {
        matrix = null;
        if (SchemeOf(name) is not { } scheme || scheme.Storage == QuantisedStorage.Mxfp4)
        {
            return false;
        }

        var plain = _binder.TypeOf(_prefix + name + ".weight");
        if (scheme.Storage == QuantisedStorage.Fp8 ? plain is not (null or DType.F8E4M3) : plain is not null)
        {
            return false;
        }

        _totals.Parameters += (long)outputs * inputs;
        matrix = scheme.Storage switch
        {
            QuantisedStorage.Fp8 => Fp8(name, outputs, inputs, scheme),
            QuantisedStorage.PackedInt4 => PackedInt4(name, outputs, inputs, scheme),
            _ => Words(name, outputs, inputs, scheme),
        };
        return true;
    }

    /// <summary>The lists of a config name modules as the checkpoint does.</summary>
    private QuantisationScheme? SchemeOf(string name) => Quantisation?.SchemeOf(_binder.Stored(_prefix + name));

    private Weight Packed(PackedMatrix? matrix, string name, int outputs, int inputs) => matrix is { } packed ? Backend.LoadPacked(_prefix + name, packed) : Nothing(name, outputs, inputs);

    /// <summary>GPTQ and AWQ may give a module a bias that its family does not have.</summary>
    private bool HasOwnBias(string name) => SchemeOf(name)?.Storage is QuantisedStorage.Gptq or QuantisedStorage.Awq && Contains(name + ".bias");

    private WholeMatrix WholeLinear(string name, int outputs, int inputs) => TryPacked(name, outputs, inputs, out var packed)
        ? new WholeMatrix(default, IsPacked: true, packed)
        : new WholeMatrix(Whole(name + ".weight", outputs, inputs), IsPacked: false, null);

    private Weight RowsOf(WholeMatrix matrix, string name, int row, int rows, int columns) => matrix.IsPacked
        ? Packed(matrix.Packed?.RowsOf(row, rows), name, rows, columns)
        : RowsOf(matrix.Tensor, name + ".weight", row, rows, columns);

    private PackedMatrix? Fp8(string name, int outputs, int inputs, QuantisationScheme scheme)
    {
        int blockRows = scheme.BlockRows == 0 ? outputs : scheme.BlockRows, groupSize = scheme.GroupSize == 0 ? inputs : scheme.GroupSize;
        int blocks = Parts(outputs, blockRows), groups = Parts(inputs, groupSize);
        var scaleName = $"{_prefix}{name}.{scheme.ScaleName}";

        // One scale for all is a vector of one, or a number.
        long[] shape = scheme.BlockRows != 0 ? [blocks, groups] : _binder.TypeOf(scaleName) is not null && _binder.FirstDimension(scaleName) == 0 ? [] : [1];
        var codes = Tensor(name + ".weight", [DType.F8E4M3], outputs, inputs);
        var scales = Tensor($"{name}.{scheme.ScaleName}", Floats, shape);
        return !codes.Exists || !scales.Exists ? null : new PackedMatrix
        {
            Format = CodeFormat.E4M3,
            Codes = (nint)codes.Address,
            Pitch = inputs,
            Rows = outputs,
            Columns = inputs,
            StoredRows = outputs,
            RowStep = 1,
            Scales = (nint)scales.Address,
            ScaleType = scales.Type,
            BlockRows = blockRows,
            GroupSize = groupSize,
            ScaleRowStride = groups,
            ScaleGroupStride = 1,
        };
    }

    private PackedMatrix? PackedInt4(string name, int outputs, int inputs, QuantisationScheme scheme)
    {
        var groupSize = scheme.GroupSize == 0 ? inputs : scheme.GroupSize;
        int groups = Parts(inputs, groupSize), words = Parts(inputs, PerWord);
        var shape = Tensor(name + ".weight_shape", [DType.I64], 2);
        if (shape.Exists && (Unsafe.ReadUnaligned<long>(shape.Address) != outputs || Unsafe.ReadUnaligned<long>(shape.Address + sizeof(long)) != inputs))
        {
            throw new ModelFormatException("ShapeMismatch", $"{Excerpt.Of(shape.Name)} says [{Unsafe.ReadUnaligned<long>(shape.Address)}, {Unsafe.ReadUnaligned<long>(shape.Address + sizeof(long))}]; config.json makes it [{outputs}, {inputs}].", tensor: shape.Name);
        }

        var codes = Tensor(name + ".weight_packed", [DType.I32], outputs, words);
        var scales = Tensor(name + ".weight_scale", Floats, outputs, groups);
        var zeros = scheme.ZeroPoints ? Tensor(name + ".weight_zero_point", [DType.I32], Parts(outputs, PerWord), groups) : default;
        var order = scheme.Permuted ? GroupOfColumn(name + ".weight_g_idx", inputs, groups, groupSize, required: true) : default(nint?);
        return !codes.Exists || !scales.Exists || !shape.Exists || zeros.Exists != scheme.ZeroPoints || (scheme.Permuted && order is null) ? null : new PackedMatrix
        {
            Format = CodeFormat.UInt4,
            Codes = (nint)codes.Address,
            Pitch = 4L * words,
            Rows = outputs,
            Columns = inputs,
            StoredRows = outputs,
            RowStep = 1,
            Scales = (nint)scales.Address,
            ScaleType = scales.Type,
            BlockRows = 1,
            GroupSize = groupSize,
            ScaleRowStride = groups,
            ScaleGroupStride = 1,
            GroupOfColumn = order ?? 0,
            Zeros = (nint)zeros.Address,
            ZeroRowStride = groups,
            ZeroGroupStride = 1,
            Zero = scheme.ZeroPoints ? 0 : 8,    // codes are stored with 8 added; that of the zero point cancels
        };
    }

    /// <summary>GPTQ and AWQ: both keep scales and zero points group by group; their words hold inputs or outputs.</summary>
    private PackedMatrix? Words(string name, int outputs, int inputs, QuantisationScheme scheme)
    {
        var ofInputs = scheme.Storage == QuantisedStorage.Gptq;
        var (divided, what) = ofInputs && inputs % PerWord != 0 ? (inputs, "inputs") : (outputs, "outputs");
        if (divided % PerWord != 0)
        {
            throw new UnsupportedModelException($"'{_prefix + name}' has {divided} {what}; quantised to words of {PerWord} codes they must be a multiple of {PerWord}.", _prefix + name);
        }

        var groupSize = scheme.GroupSize == 0 ? inputs : scheme.GroupSize;
        var groups = Parts(inputs, groupSize);
        var codes = ofInputs ? Tensor(name + ".qweight", [DType.I32], inputs / PerWord, outputs) : Tensor(name + ".qweight", [DType.I32], inputs, outputs / PerWord);
        var zeros = Tensor(name + ".qzeros", [DType.I32], groups, outputs / PerWord);
        var scales = Tensor(name + ".scales", Floats, groups, outputs);
        var order = ofInputs ? GroupOfColumn(name + ".g_idx", inputs, groups, groupSize, scheme.Permuted) : 0;
        return !codes.Exists || !zeros.Exists || !scales.Exists || order is null ? null : new PackedMatrix
        {
            Format = CodeFormat.UInt4,
            Order = ofInputs ? CodeOrder.InputWords : CodeOrder.OutputWords,
            Codes = (nint)codes.Address,
            Rows = outputs,
            Columns = inputs,
            StoredRows = outputs,
            RowStep = 1,
            Scales = (nint)scales.Address,
            ScaleType = scales.Type,
            BlockRows = 1,
            GroupSize = groupSize,
            ScaleRowStride = 1,
            ScaleGroupStride = outputs,
            GroupOfColumn = order.Value,
            Zeros = (nint)zeros.Address,
            ZeroRowStride = 1,
            ZeroGroupStride = outputs / PerWord,
            Zero = scheme.ZeroOffset,
        };
    }

    /// <summary><c>_blocks</c> <c>[count, outputs, inputs / 32, 16]</c> and <c>_scales</c> <c>[count, outputs, inputs / 32]</c> of both matrices; outputs of gate and up in turn.</summary>
    private bool TryFourBitExperts(string gateUp, string down, int count, int hidden, int inner, out ExpertWeights weights)
    {
        if (SchemeOf(gateUp)?.Storage != QuantisedStorage.Mxfp4 || Contains(gateUp))
        {
            weights = new ExpertWeights([], []);
            return false;
        }

        var firstBias = Whole(gateUp + "_bias", count, 2L * inner);
        var secondBias = Whole(down + "_bias", count, hidden);
        var (first, second) = (FourBitStack(gateUp, count, checked(2 * inner), hidden), FourBitStack(down, count, hidden, inner));
        Projection Half(int expert, int half) => new(
            Packed(first?.RowsOf((2 * inner * expert) + half, inner, step: 2), gateUp, inner, hidden),
            Strided(firstBias, gateUp + "_bias", (2L * inner * expert) + half, inner, step: 2));
        weights = new ExpertWeights(
            [.. Enumerable.Range(0, count).Select(e => (Projection[])[Half(e, 0), Half(e, 1)])],
            [.. Enumerable.Range(0, count).Select(e => (Projection[])[new(Packed(second?.RowsOf(hidden * e, hidden), down, hidden, inner), Part(secondBias, down + "_bias", (long)hidden * e, hidden))])]);
        return true;
    }

    /// <summary>All experts as one matrix.</summary>
    private PackedMatrix? FourBitStack(string name, int count, int outputs, int inputs)
    {
        if (inputs % BlockInputs != 0)
        {
            throw new UnsupportedModelException($"'{_prefix + name}' has {inputs} inputs; in MXFP4 they must be a multiple of {BlockInputs}.", _prefix + name);
        }

        int groups = inputs / BlockInputs, rows = checked(count * outputs);
        var codes = Tensor(name + "_blocks", [DType.U8], count, outputs, groups, BlockBytes);
        var scales = Tensor(name + "_scales", [DType.U8], count, outputs, groups);
        _totals.Parameters += (long)rows * inputs;
        return !codes.Exists || !scales.Exists ? null : new PackedMatrix
        {
            Format = CodeFormat.E2M1,
            Codes = (nint)codes.Address,
            Pitch = (long)groups * BlockBytes,
            Rows = rows,
            Columns = inputs,
            StoredRows = rows,
            RowStep = 1,
            Scales = (nint)scales.Address,
            ScaleType = DType.U8,
            BlockRows = 1,
            GroupSize = BlockInputs,
            ScaleRowStride = groups,
            ScaleGroupStride = 1,
        };
    }

    /// <summary>The tensor that says each column's group: its address, 0 where groups are runs of columns (or the tensor, which is not required, is not there), null where it is missing.</summary>
    private nint? GroupOfColumn(string name, int inputs, int groups, int groupSize, bool required)
    {
        if (!required && !Contains(name))
        {
            return 0;
        }

        var tensor = Tensor(name, [DType.I32], inputs);
        if (!tensor.Exists)
        {
            return null;
        }

        var consecutive = true;
        for (var k = 0; k < inputs; k++)
        {
            var group = Unsafe.ReadUnaligned<int>(tensor.Address + (4L * k));
            if ((uint)group >= (uint)groups)
            {
                throw new ModelFormatException("OutOfRange", $"{Excerpt.Of(tensor.Name)} puts input {k} into group {group}; there are {groups}.", tensor: tensor.Name);
            }

            consecutive &= group == k / groupSize;
        }

        return consecutive ? 0 : (nint)tensor.Address;
    }

    private static DType[] Floats => [DType.F32, DType.F16, DType.BF16];

    private static int Parts(int length, int size) => (int)(((long)length + size - 1) / size);

    private TensorView Tensor(string name, DType[] types, params ReadOnlySpan<long> shape)
    {
        var tensor = _binder.Bind(_prefix + name, shape);
        return !tensor.Exists || types.Contains(tensor.Type)
            ? tensor
            : throw new UnsupportedModelException($"Tensor {Excerpt.Of(tensor.Name)} is stored as {tensor.Type}; it must be {string.Join(" or ", types)}.", tensor.Name);
    }

    /// <summary>Ranges of quantised activations are of no use where activations stay in float32.</summary>
    private void LeaveActivationScales()
    {
        if (Quantisation is not null)
        {
            foreach (var suffix in Quantisation.ActivationScales)
            {
                _binder.IgnoreSuffix(suffix);
            }

            if (Quantisation.QuantisesActivations)
            {
                _binder.Log("quantization_config lets activations be quantised; here they stay in float32, which is more exact.");
            }
        }
    }
}
