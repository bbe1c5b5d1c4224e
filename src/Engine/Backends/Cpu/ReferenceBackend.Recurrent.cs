namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Recurrent layers: states lie as the contract names them.</summary>
internal sealed unsafe partial class ReferenceBackend
{
    public StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots) => StateSlots.OnHost(sizes, slots);

    public void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows)
    {
        var span = x.Columns / gate.Columns;
        for (var row = 0; row < rows; row++)
        {
            for (var i = 0; i < x.Columns; i++)
            {
                Download(output, row)[i] = (float)(Download(x, row)[i] * activation.Of(Download(gate, row)[i / span]));
            }
        }
    }

    /// <summary>State: <c>[width - 1][columns]</c>, the oldest input first.</summary>
    public void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output)
    {
        var columns = x.Columns;
        var width = (int)(kernel.Length / columns);
        for (var t = 0; t < step.TokenCount; t++)
        {
            Span<float> past = State(step, state, t), now = Download(x, t), to = Download(output, t);
            for (var c = 0; c < columns; c++)
            {
                var sum = bias is null ? 0.0 : Floats(bias)[c];
                for (var j = 0; j < width; j++)
                {
                    sum += (double)Floats(kernel)[(c * width) + j] * (j == width - 1 ? now[c] : past[(j * columns) + c]);
                }

                for (var j = 0; j < width - 1; j++)
                {
                    past[(j * columns) + c] = j == width - 2 ? now[c] : past[((j + 1) * columns) + c];
                }

                to[c] = (float)(activation?.Of(sum) ?? sum);
            }
        }
    }

    public void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output)
    {
        for (var t = 0; t < step.TokenCount; t++)
        {
            Span<float> memory = State(step, state, t), row = Download(xbc, t);
            for (var head = 0; head < shape.Heads; head++)
            {
                var group = head / (shape.Heads / shape.Groups) * shape.StateSize;
                Span<float> b = row.Slice(shape.Columns + group, shape.StateSize), c = row.Slice(shape.Columns + shape.GroupColumns + group, shape.StateSize);
                var d = Math.Clamp(SoftPlus(Download(steps, t)[head] + (double)Floats(weights.StepBias)[head]), shape.MinStep, shape.MaxStep);
                var decay = Math.Exp(-Math.Exp(Floats(weights.LogDecay)[head]) * d);
                for (var i = 0; i < shape.HeadDim; i++)
                {
                    var x = row[(head * shape.HeadDim) + i];
                    var s = memory.Slice(((head * shape.HeadDim) + i) * shape.StateSize, shape.StateSize);
                    var sum = (double)Floats(weights.Skip)[head] * x;
                    for (var n = 0; n < s.Length; n++)
                    {
                        s[n] = (float)((s[n] * decay) + (d * x * b[n]));
                        sum += (double)s[n] * c[n];
                    }

                    Download(output, t)[(head * shape.HeadDim) + i] = (float)sum;
                }
            }
        }
    }

    public void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output)
    {
        int keyDim = shape.KeyDim, valueDim = shape.ValueDim, perHead = decays.Columns / shape.ValueHeads;
        for (var t = 0; t < step.TokenCount; t++)
        {
            Span<float> memory = State(step, state, t), row = Download(qkv, t);
            for (var head = 0; head < shape.ValueHeads; head++)
            {
                var keyHead = head / (shape.ValueHeads / shape.KeyHeads) * keyDim;
                double[] q = UnitLength(row.Slice(keyHead, keyDim)), k = UnitLength(row.Slice(shape.KeyColumns + keyHead, keyDim));
                var v = row.Slice((2 * shape.KeyColumns) + (head * valueDim), valueDim);
                var beta = shape.BetaScale / (1 + Math.Exp(-Download(betas, t)[head]));
                var decay = new double[keyDim];
                for (var i = 0; i < keyDim; i++)
                {
                    var column = (head * perHead) + (perHead == 1 ? 0 : i);
                    decay[i] = Math.Exp(-Math.Exp(Floats(weights.LogDecay)[head]) * SoftPlus(Download(decays, t)[column] + (double)Floats(weights.DecayBias)[column]));
                }

                var s = memory.Slice(head * keyDim * valueDim, keyDim * valueDim);
                for (var j = 0; j < valueDim; j++)
                {
                    double known = 0, sum = 0;
                    for (var i = 0; i < keyDim; i++)
                    {
                        known += s[(i * valueDim) + j] * decay[i] * k[i];
                    }

                    for (var i = 0; i < keyDim; i++)
                    {
                        s[(i * valueDim) + j] = (float)((s[(i * valueDim) + j] * decay[i]) + (k[i] * (v[j] - known) * beta));
                        sum += s[(i * valueDim) + j] * q[i];
                    }

                    Download(output, t)[(head * valueDim) + j] = (float)(sum / Math.Sqrt(keyDim));
                }
            }
        }
    }

    /// <summary>The slot of this row's sequence; zeroed at the sequence's first token.</summary>
    private static Span<float> State(in StepInputs step, int state, int row)
    {
        var size = step.States.Size(state);
        var slot = new Span<float>(Floats(step.States.State(state)) + ((long)Ints(step.Slots)[SequenceOf(step, row)] * size), size);
        if (Ints(step.Positions)[row] == 0)
        {
            slot.Clear();
        }

        return slot;
    }

    private static double[] UnitLength(Span<float> x)
    {
        double[] values = [.. x.ToArray().Select(v => (double)v)];
        var scale = 1 / Math.Sqrt(values.Sum(v => v * v) + 1e-6);
        return [.. values.Select(v => v * scale)];
    }

    private static double SoftPlus(double x) => x > 30 ? x : Math.Log(1 + Math.Exp(x));
}
