using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Every verb written the plainest way, one thread, sums in double: the specification that fast backends are held against. Slabs of keys and values lie <c>[pageSize][headDim]</c>.</summary>
/// <param name="cache">Type that keys and values are rounded to; they are kept as float32.</param>
internal sealed unsafe partial class ReferenceBackend(DType cache = DType.F32) : IBackend
{
    public string Name => "reference";
    public int Threads => 1;

    public Weight LoadMatrix(string name, DType type, int rows, int columns, nint address) =>
        new(name, type, rows, columns, new DeviceBuffer(address, type, (long)rows * columns, owner: null));

    public Weight LoadPacked(string name, PackedMatrix matrix) => new(name, DType.U8, matrix.Rows, matrix.Columns, new DeviceBuffer(matrix.Codes, DType.U8, matrix.CodeBytes, owner: null)) { Packed = matrix };

    public Weight LoadGrouped(string name, WeightFormat format, int rows, int columns, DeviceBuffer panels) => new(name, DType.U8, rows, columns, panels) { Format = format };

    public void Quantise(Weight weight, DType type, nint source, bool isMapped) =>
        new GroupedQuantiser { Source = (byte*)source, Type = type, Rows = weight.Rows, Columns = weight.Columns, Format = weight.Format, Panels = (byte*)weight.Data.Address }.Run(0, GroupedLayout.Panels(weight.Rows), 0);

    public DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0) => HostFloats.Vector(type, length, address, offset);

    public Rows AllocateRows(int rows, int columns) => new(DeviceBuffer.OnHost(DType.F32, (long)rows * columns), columns, columns);
    public DeviceBuffer AllocateInts(int length) => DeviceBuffer.OnHost(DType.I32, length);

    public KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages) => KvPages.OnHost(layout, pages);

    public long KvPageBytes(KvLayer layer, int pageSize) => checked((layer.KeyElements(pageSize) + layer.ValueElements(pageSize)) * sizeof(float));

    public void Upload(ReadOnlySpan<int> source, DeviceBuffer destination) => source.CopyTo(new Span<int>((void*)destination.Address, (int)destination.Length));

    public Span<float> Download(Rows rows, int row) => new((float*)rows.Buffer.Address + rows.Column + ((long)row * rows.Stride), rows.Columns);

    public void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output)
    {
        for (var t = 0; t < step.TokenCount; t++)
        {
            WeightRow(table, Ints(ids)[t] < table.Rows ? Ints(ids)[t] : 0).CopyTo(Download(output, t));
            ScaleAndCap(Row(output, t), scale, 0, 1);
        }
    }

    public void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1)
    {
        var columns = x.Columns / groups;
        var gainStride = groups > 1 && gain.Length == x.Columns ? columns : 0;
        for (var part = 0; part < rows * groups; part++)
        {
            Span<float> from = Download(x, part / groups).Slice(part % groups * columns, columns), to = Download(output, part / groups).Slice(part % groups * columns, columns);
            var sum = 0.0;
            foreach (var value in from)
            {
                sum += (double)value * value;
            }

            var scale = 1 / Math.Sqrt((sum / from.Length) + epsilon);
            for (var i = 0; i < from.Length; i++)
            {
                to[i] = (float)(from[i] * scale * Floats(gain)[(part % groups * gainStride) + i]);
            }
        }
    }

    public void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows)
    {
        Add(residual, x, scale, rows);
        RmsNorm(residual, gain, epsilon, output, rows);
    }

    public void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            var from = Download(x, row).ToArray();
            var to = Download(output, row);
            var mean = from.Average(v => (double)v);
            var scale = 1 / Math.Sqrt(from.Average(v => (v - mean) * (v - mean)) + epsilon);
            for (var i = 0; i < from.Length; i++)
            {
                to[i] = (float)(((from[i] - mean) * scale * Floats(gain)[i]) + (bias is null ? 0 : Floats(bias)[i]));
            }
        }
    }

    public void Add(Rows residual, Rows x, float scale, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            Span<float> sum = Download(residual, row), addend = Download(x, row);
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] += addend[i] * scale;
            }
        }
    }

    public void ScaleAndCap(Rows x, float scale, float cap, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            foreach (ref var value in Download(x, row))
            {
                value = (float)(cap == 0 ? value * scale : cap * Math.Tanh((double)value * scale / cap));
            }
        }
    }

    public void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows)
    {
        double MeanSquare(Rows view, int row) => Download(view, row).ToArray().Average(v => (double)v * v);

        for (var row = 0; row < rows; row++)
        {
            var factor = Math.Sqrt(MeanSquare(reference, row)) / Math.Sqrt(Math.Max(MeanSquare(x, row), floor));
            Span<float> from = Download(x, row), to = Download(output, row);
            for (var i = 0; i < from.Length; i++)
            {
                to[i] = (float)(from[i] * factor);
            }
        }
    }

    public void CutBelow(Rows x, float deviations, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            var values = Download(x, row).ToArray();
            var mean = values.Average(v => (double)v);
            var cut = mean + (deviations * Math.Sqrt(values.Average(v => (v - mean) * (v - mean))));
            foreach (ref var value in Download(x, row))
            {
                value = (float)Math.Max(0, value - cut);
            }
        }
    }

    public void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        var column = 0;
        foreach (var (matrix, bias) in projections)
        {
            for (var n = 0; n < matrix.Rows; n++)
            {
                var weights = WeightRow(matrix, n);
                for (var row = 0; row < rows; row++)
                {
                    var from = matrix.Format == WeightFormat.AsStored ? Download(x, row) : InEightBits(Download(x, row));
                    var sum = bias is null ? 0.0 : Floats(bias)[n];
                    for (var k = 0; k < matrix.Columns; k++)
                    {
                        sum += (double)from[k] * weights[k];
                    }

                    Download(output, row)[column + n] = (float)sum;
                }
            }

            column += matrix.Rows;
        }
    }

    public void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table)
    {
        var half = frequencies.Inverse.Length;
        for (var t = 0; t < step.TokenCount; t++)
        {
            int position = Ints(step.Positions)[t], length = Ints(step.RotaryLengths)[t];
            var to = Download(table, t);
            for (var i = 0; i < half; i++)
            {
                var angle = position * frequencies.At(i, length);    // float32, as the reference implementation has it
                to[i] = (float)(Math.Cos(angle) * frequencies.Magnitude);
                to[half + i] = (float)(Math.Sin(angle) * frequencies.Magnitude);
            }
        }
    }

    public void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape)
    {
        int half = rotary.Columns / 2, headDim = shape.HeadDim;
        for (var t = 0; t < step.TokenCount; t++)
        {
            Span<float> row = Download(qkv, t), turn = Download(rotary, t);
            for (var head = 0; head < shape.Heads + shape.KvHeads; head++)
            {
                var x = row.Slice(head * headDim, headDim);
                for (var i = 0; i < half; i++)
                {
                    var (first, second) = pairs == RotaryPairs.Halves ? (i, half + i) : (2 * i, (2 * i) + 1);
                    double a = x[first], b = x[second], cos = turn[i], sin = turn[half + i];
                    x[first] = (float)((a * cos) - (b * sin));
                    x[second] = (float)((b * cos) + (a * sin));
                }
            }

            for (var head = 0; head < shape.KvHeads; head++)
            {
                Keep(row.Slice(shape.QueryColumns + (head * headDim), headDim), Slot(step, layer, step.Pages.Keys(layer), SequenceOf(step, t), Ints(step.Positions)[t], head));
                if (shape.ValuesInKeys > 0)
                {
                    continue;
                }

                Keep(row.Slice(shape.QueryColumns + shape.KeyColumns + (head * headDim), headDim), Slot(step, layer, step.Pages.Values(layer), SequenceOf(step, t), Ints(step.Positions)[t], head));
            }
        }
    }

    public void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape)
    {
        var headDim = shape.HeadDim;
        for (var t = 0; t < step.TokenCount; t++)
        {
            var sequence = SequenceOf(step, t);
            var context = Ints(step.Positions)[t] + 1;
            var from = shape.Window == 0 ? 0 : Math.Max(0, context - shape.Window);
            for (var head = 0; head < shape.Heads; head++)
            {
                var kvHead = head / (shape.Heads / shape.KvHeads);
                var query = Download(q, t).Slice(head * headDim, headDim);
                var weights = new double[context];
                for (var c = from; c < context; c++)
                {
                    var key = Slot(step, layer, step.Pages.Keys(layer), sequence, c, kvHead);
                    for (var i = 0; i < headDim; i++)
                    {
                        weights[c] += (double)query[i] * key[i];
                    }

                    weights[c] *= shape.Scale * shape.Growth.At(context - 1);
                    weights[c] = shape.SoftCap == 0 ? weights[c] : shape.SoftCap * Math.Tanh(weights[c] / shape.SoftCap);
                }

                var sink = shape.Sinks is null ? double.NegativeInfinity : Floats(shape.Sinks)[head];
                var highest = Math.Max(sink, weights.Skip(from).Max());
                var sum = Math.Exp(sink - highest);
                for (var c = from; c < context; c++)
                {
                    weights[c] = Math.Exp(weights[c] - highest);
                    sum += weights[c];
                }

                var to = Download(output, t).Slice(head * shape.ValueDim, shape.ValueDim);
                var (slabs, first) = shape.ValuesInKeys > 0 ? (step.Pages.Keys(layer), headDim - shape.ValueDim) : (step.Pages.Values(layer), 0);
                for (var i = 0; i < shape.ValueDim; i++)
                {
                    var value = 0.0;
                    for (var c = from; c < context; c++)
                    {
                        value += weights[c] / sum * Slot(step, layer, slabs, sequence, c, kvHead)[first + i];
                    }

                    to[i] = (float)value;
                }
            }
        }
    }

    public void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows)
    {
        Activate(gateUp.Slice(0, output.Columns), activation, output, rows);
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                Download(output, row)[i] *= (float)activation.OfUp(Download(gateUp, row)[output.Columns + i]);
            }
        }
    }

    public void Activate(Rows x, Activation activation, Rows output, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < output.Columns; i++)
            {
                Download(output, row)[i] = (float)activation.Of(Download(x, row)[i]);
            }
        }
    }

    public void GatherRows(Rows x, Ints rowIndexes, Rows output, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Download(x, Ints(rowIndexes)[i]).CopyTo(Download(output, i));
        }
    }

    public void Dispose()
    {
    }

    private void Keep(Span<float> row, Span<float> slot)
    {
        row.CopyTo(slot);
        KvSlabs.Round(cache, slot);
    }

    private static Rows Row(Rows rows, int row) => rows with { Column = rows.Column + (row * rows.Stride) };
    private static float* Floats(DeviceBuffer buffer) => (float*)buffer.Address;
    private static int* Ints(Ints view) => (int*)view.Buffer.Address + view.Start;

    /// <summary>A row as its codes and scales say; in float32, which rounds once more.</summary>
    private static float[] InEightBits(ReadOnlySpan<float> row)
    {
        var values = new float[row.Length];
        Span<int> codes = stackalloc int[GroupedLayout.Group];
        for (var k = 0; k < row.Length; k += GroupedLayout.Group)
        {
            var part = row[k..Math.Min(row.Length, k + GroupedLayout.Group)];
            var scale = GroupedRowsKernel.Quantise(part, codes);
            for (var i = 0; i < part.Length; i++)
            {
                values[k + i] = codes[i] * scale;
            }
        }

        return values;
    }

    private static float[] WeightRow(Weight weight, int row)
    {
        if (weight.Format != WeightFormat.AsStored)
        {
            return [.. Enumerable.Range(0, weight.Columns).Select(k => GroupedReader.Element(weight, row, k)).Select(e => (float)(((double)e.Code * e.Scale) + e.Minimum))];
        }

        if (weight.Packed is { } packed)
        {
            return [.. Enumerable.Range(0, weight.Columns).Select(k => PackedReader.Element(packed, row, k))];
        }

        var values = new float[weight.Columns];
        HostFloats.Read((byte*)weight.Data.Address + ((long)row * weight.Columns * weight.Type.ByteSize()), weight.Type, values);
        return values;
    }

    private static int SequenceOf(in StepInputs step, int row)
    {
        var sequence = 0;
        while (Ints(step.RowStarts)[sequence + 1] <= row)
        {
            sequence++;
        }

        return sequence;
    }

    private static Span<float> Slot(in StepInputs step, int layer, DeviceBuffer slabs, int sequence, int position, int kvHead)
    {
        var (pageSize, shape) = (step.Pages.PageSize, step.Pages.Layout.Layers[layer]);
        var size = ReferenceEquals(slabs, step.Pages.Keys(layer)) ? shape.HeadDim : shape.ValueDim;
        var page = Ints(step.BlockTables)[Ints(step.TableStarts(layer))[sequence] + (position / pageSize)];
        var slot = (((((long)page * shape.KvHeads) + kvHead) * pageSize) + (position % pageSize)) * size;
        return new Span<float>(Floats(slabs) + slot, size);
    }
}
