using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Layers;

/// <summary>Layouts other than one matrix <c>[outputs, inputs]</c> per product: views of a tensor's rows, and copies where outputs do not lie in rows.</summary>
internal sealed unsafe partial class WeightLoader
{
    /// <summary><c>name.weight</c> <c>[groups * parts * size, inputs]</c>, group by group the parts of it: views that give all of part 0 first, then all of part 1 (q of all heads, then k, then v).</summary>
    public Projection[] InterleavedLinear(string name, int groups, int parts, int size, int inputs, bool bias)
    {
        var rows = checked(groups * parts * size);
        var matrix = WholeLinear(name, rows, inputs);
        var vector = bias ? Whole(name + ".bias", rows) : default;
        var order = Enumerable.Range(0, parts).SelectMany(part => Enumerable.Range(0, groups).Select(group => ((group * parts) + part) * size));
        return [.. order.Select(row => new Projection(RowsOf(matrix, name, row, size, inputs), bias ? Part(vector, name + ".bias", row, size) : null))];
    }

    /// <summary>The same with parts of different sizes, without bias.</summary>
    public Projection[] InterleavedLinear(string name, int groups, int[] sizes, int inputs)
    {
        var parts = Parts(name, groups, sizes, inputs);
        return [.. sizes.SelectMany((_, part) => parts.Select(group => group[part]))];
    }

    /// <summary><c>name.weight</c> <c>[groups * sum of sizes, inputs]</c>: views of each group's parts, <c>[group][part]</c>.</summary>
    public Projection[][] Parts(string name, int groups, int[] sizes, int inputs, bool bias = false)
    {
        var pitch = sizes.Sum();
        var matrix = WholeLinear(name, checked(groups * pitch), inputs);
        var vector = bias ? Whole(name + ".bias", checked(groups * pitch)) : default;
        Projection Part(int row, int size) => new(RowsOf(matrix, name, row, size, inputs), bias ? this.Part(vector, name + ".bias", row, size) : null);
        return [.. Enumerable.Range(0, groups).Select(group => sizes.Select((size, part) => Part((group * pitch) + sizes.Take(part).Sum(), size)).ToArray())];
    }

    /// <summary><c>name.weight</c> <c>[heads * (still + value), latent]</c>, head by head what makes a key's still part and a value of a latent.</summary>
    /// <returns>For each head its first part turned round, <c>[latent, still]</c>, a copy; and a view of the second, <c>[value, latent]</c>. Never quantised while loading: queries and results of every position go through them.</returns>
    public (Projection[] To, Projection[] From) LatentHeads(string name, int heads, int still, int value, int latent) => AsStored(() => Latent(name, heads, still, value, latent));

    private (Projection[] To, Projection[] From) Latent(string name, int heads, int still, int value, int latent)
    {
        var pitch = checked(still + value);
        var matrix = WholeLinear(name, checked(heads * pitch), latent);
        Weight To(int h) => matrix.IsPacked
            ? Turned(RowsOf(matrix, name, h * pitch, still, latent))
            : Transposed(matrix.Tensor, name + ".weight", (long)h * pitch * latent, still, latent);

        return (
            [.. Enumerable.Range(0, heads).Select(h => new Projection(To(h), Bias: null))],
            [.. Enumerable.Range(0, heads).Select(h => new Projection(RowsOf(matrix, name, (h * pitch) + still, value, latent), Bias: null))]);
    }

    /// <summary>A packed matrix <c>[rows, columns]</c> as floats <c>[columns, rows]</c>: its product with ones on a diagonal, which is exact.</summary>
    private Weight Turned(Weight packed)
    {
        int rows = packed.Rows, columns = packed.Columns;
        if (packed.Data.Length == 0)
        {
            return Nothing(packed.Name, columns, rows);
        }

        Rows diagonal = Backend.AllocateRows(columns, columns), product = Backend.AllocateRows(columns, rows);
        var copy = DeviceBuffer.OnHost(DType.F32, checked((long)rows * columns));
        _totals.Copies.Add(copy);
        for (var i = 0; i < columns; i++)
        {
            Backend.Download(diagonal, i).Clear();
            Backend.Download(diagonal, i)[i] = 1;
            if (Backend.Download(diagonal, i)[i] != 1)
            {
                throw new UnsupportedModelException($"'{packed.Name}' is quantised; latent attention multiplies by it turned round, for which {Backend.Name} needs it in BF16, F16 or F32.", packed.Name);
            }
        }

        Backend.Linear(diagonal, [new Projection(packed, Bias: null)], product, columns);
        for (var i = 0; i < columns; i++)
        {
            Backend.Download(product, i).CopyTo(new Span<float>((float*)copy.Address + ((long)i * rows), rows));
        }

        diagonal.Buffer.Dispose();
        product.Buffer.Dispose();
        return Backend.LoadMatrix(packed.Name, DType.F32, columns, rows, copy.Address);
    }

    /// <summary><c>name.weight</c> stored <c>[inputs, outputs]</c>, copied, and <c>name.bias</c>.</summary>
    public Projection TransposedLinear(string name, int outputs, int inputs) => TryPacked(name, outputs, inputs, out var packed)
        ? new(Packed(packed, name, outputs, inputs), Vector(name + ".bias", outputs))
        : new(Transposed(Whole(name + ".weight", inputs, outputs), name + ".weight", 0, inputs, outputs), Vector(name + ".bias", outputs));

    /// <summary><c>name.weight</c> <c>[heads, headDim]</c>: a layer norm without bias for each head.</summary>
    public Norm[] HeadLayerNorms(string name, int heads, int headDim, float epsilon)
    {
        var all = Whole(name + ".weight", heads, headDim);
        return [.. Enumerable.Range(0, heads).Select(head => new Norm(Part(all, name + ".weight", (long)head * headDim, headDim), Bias: null, epsilon, Centered: true))];
    }

    /// <summary>The only element of <paramref name="name"/>, whose shape is <c>[1]</c> or <c>[]</c>; <paramref name="absent"/> where the checkpoint lacks it.</summary>
    public float Scalar(string name, float absent, bool vector)
    {
        if (!_binder.TryBind(_prefix + name, out var tensor, vector ? [1] : []))
        {
            return absent;
        }

        _totals.Parameters++;
        return !tensor.Exists ? absent : tensor.Type switch
        {
            DType.F32 => Unsafe.ReadUnaligned<float>(tensor.Address),
            DType.BF16 => FloatFormats.BFloat16ToSingle(Unsafe.ReadUnaligned<ushort>(tensor.Address)),
            DType.F16 => FloatFormats.HalfToSingle(Unsafe.ReadUnaligned<ushort>(tensor.Address)),
            _ => throw new UnsupportedModelException($"Tensor '{_prefix + name}' is stored as {tensor.Type}; weights may be F32, F16 or BF16.", _prefix + name),
        };
    }

    /// <summary>The tensor, counted.</summary>
    private TensorView Whole(string name, params ReadOnlySpan<long> shape)
    {
        var elements = 1L;
        foreach (var size in shape)
        {
            elements = checked(elements * size);
        }

        _totals.Parameters += elements;
        return _binder.Bind(_prefix + name, shape);
    }

    /// <summary>Rows of a tensor that is a matrix, or a stack of matrices seen as one.</summary>
    private Weight RowsOf(TensorView tensor, string name, long row, int rows, int columns) => tensor.Exists
        ? Product(_prefix + name, tensor.Type, rows, columns, (nint)tensor.Address + checked((nint)(row * columns * tensor.Type.ByteSize())), isMapped: true)
        : Nothing(name, rows, columns);

    private DeviceBuffer Part(TensorView tensor, string name, long start, int length) => tensor.Exists
        ? Backend.LoadVector(_prefix + name, tensor.Type, length, (nint)tensor.Address + checked((nint)(start * tensor.Type.ByteSize())))
        : DeviceBuffer.OnHost(DType.F32, 0);

    /// <summary>Columns first, first + step, ... of the matrix <c>[inputs, outputs]</c> that begins at element <paramref name="start"/>, as rows.</summary>
    private Weight Transposed(TensorView tensor, string name, long start, int inputs, int outputs, int first = 0, int step = 1)
    {
        var rows = outputs / step;
        if (!tensor.Exists)
        {
            return Nothing(name, rows, inputs);
        }

        return Product(_prefix + name, tensor.Type, rows, inputs, () => Copy(tensor, start + first, rows, step, inputs, outputs));
    }

    /// <summary>Elements start, start + step, ... of a tensor as a vector.</summary>
    private DeviceBuffer Strided(TensorView tensor, string name, long start, int length, int step)
    {
        if (!tensor.Exists)
        {
            return DeviceBuffer.OnHost(DType.F32, 0);
        }

        using var copy = DeviceBuffer.OnHost(tensor.Type, length);
        var size = tensor.Type.ByteSize();
        for (var i = 0; i < length; i++)
        {
            Buffer.MemoryCopy(tensor.Address + ((start + ((long)i * step)) * size), (byte*)copy.Address + ((long)i * size), size, size);
        }

        return Backend.LoadVector(_prefix + name, tensor.Type, length, copy.Address);
    }

    /// <summary>result[n][k] = tensor[start + k * pitch + n * step]</summary>
    private static DeviceBuffer Copy(TensorView tensor, long start, int rows, int step, int columns, int pitch)
    {
        var copy = DeviceBuffer.OnHost(tensor.Type, checked((long)rows * columns));
        switch (tensor.Type.ByteSize())
        {
            case 2:
                Transpose((ushort*)tensor.Address + start, (ushort*)copy.Address, rows, step, columns, pitch);
                break;
            case 4:
                Transpose((uint*)tensor.Address + start, (uint*)copy.Address, rows, step, columns, pitch);
                break;
            default:
                throw new UnsupportedModelException($"Tensor {Excerpt.Of(tensor.Name)} is stored as {tensor.Type}; weights may be F32, F16 or BF16.", tensor.Name);
        }

        return copy;
    }

    private static void Transpose<T>(T* source, T* destination, int rows, int step, int columns, int pitch)
        where T : unmanaged
    {
        // In tiles, so that the lines of both sides stay in the cache.
        const int Tile = 32;
        for (var k0 = 0; k0 < columns; k0 += Tile)
        {
            for (var n0 = 0; n0 < rows; n0 += Tile)
            {
                int kEnd = Math.Min(columns, k0 + Tile), nEnd = Math.Min(rows, n0 + Tile);
                for (var k = k0; k < kEnd; k++)
                {
                    for (var n = n0; n < nEnd; n++)
                    {
                        destination[((long)n * columns) + k] = Unsafe.ReadUnaligned<T>(source + ((long)k * pitch) + ((long)n * step));
                    }
                }
            }
        }
    }
}
