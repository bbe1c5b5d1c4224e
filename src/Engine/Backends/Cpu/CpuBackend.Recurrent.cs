namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Recurrent layers. A state belongs to one thread for a whole call, and that thread goes through the tokens in order: so a token's bits do not depend on the chunk, the batch or the threads.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    public StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots) => StateSlots.OnHost(sizes, slots);

    public void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows)
    {
        switch (activation.Kind)
        {
            case ActivationKind.Silu:
                Multiply<Silu<TLanes, V>>(x, gate, activation, output, rows);
                break;
            case ActivationKind.Sigmoid:
                Multiply<Sigmoid<TLanes, V>>(x, gate, activation, output, rows);
                break;
            case ActivationKind.Identity:
                Multiply<Identity<TLanes, V>>(x, gate, activation, output, rows);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation.Kind, "A gate is Silu, Sigmoid or Identity.");
        }
    }

    public void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output)
    {
        var width = (int)(kernel.Length / x.Columns);
        if (width > ShortConvolutionKernel<TLanes, V>.MaxWidth)
        {
            throw new ArgumentOutOfRangeException(nameof(kernel), width, $"A convolution covers at most {ShortConvolutionKernel<TLanes, V>.MaxWidth} inputs.");
        }

        if (activation is { Kind: not ActivationKind.Silu })
        {
            throw new ArgumentOutOfRangeException(nameof(activation), activation.Value.Kind, "A convolution has Silu or nothing behind it.");
        }

        var job = new ShortConvolutionKernel<TLanes, V>
        {
            Step = new RecurrentStep(step, state),
            X = Floats(x),
            XStride = x.Stride,
            Kernel = (float*)kernel.Address,
            Bias = bias is null ? null : (float*)bias.Address,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = x.Columns,
            Width = width,
            Silu = activation is not null,
        };
        Share(ref job, ShortConvolutionKernel<TLanes, V>.Pieces(x.Columns) * step.SequenceCount, 1, (long)step.TokenCount * x.Columns * (width + (job.Silu ? 8 : 0)));
    }

    public void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output)
    {
        var job = new SelectiveScanKernel<TLanes, V>
        {
            Step = new RecurrentStep(step, state),
            Xbc = Floats(xbc),
            XbcStride = xbc.Stride,
            Steps = Floats(steps),
            StepsStride = steps.Stride,
            LogDecay = (float*)weights.LogDecay.Address,
            StepBias = (float*)weights.StepBias.Address,
            Skip = (float*)weights.Skip.Address,
            Output = Floats(output),
            OutputStride = output.Stride,
            Shape = shape,
        };
        Share(ref job, shape.Heads * step.SequenceCount, 1, (long)step.TokenCount * shape.StateElements);
    }

    public void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output)
    {
        if (shape.KeyDim > GatedDeltaKernel<TLanes, V>.MaxKeyDim)
        {
            throw new ArgumentOutOfRangeException(nameof(shape), shape.KeyDim, $"A head of q and k has at most {GatedDeltaKernel<TLanes, V>.MaxKeyDim} elements.");
        }

        var job = new GatedDeltaKernel<TLanes, V>
        {
            Step = new RecurrentStep(step, state),
            Qkv = Floats(qkv),
            QkvStride = qkv.Stride,
            Betas = Floats(betas),
            BetasStride = betas.Stride,
            Decays = Floats(decays),
            DecaysStride = decays.Stride,
            DecayPerHead = decays.Columns / shape.ValueHeads,
            LogDecay = (float*)weights.LogDecay.Address,
            DecayBias = (float*)weights.DecayBias.Address,
            Output = Floats(output),
            OutputStride = output.Stride,
            Shape = shape,
        };
        Share(ref job, shape.ValueHeads * step.SequenceCount, 1, 2L * step.TokenCount * shape.StateElements);
    }

    private void Multiply<TActivation>(Rows x, Rows gate, Activation activation, Rows output, int rows)
        where TActivation : IActivation<TLanes, V>
    {
        var job = new MultiplyKernel<TLanes, V, TActivation>
        {
            X = Floats(x),
            XStride = x.Stride,
            Gate = Floats(gate),
            GateStride = gate.Stride,
            Span = x.Columns / gate.Columns,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = x.Columns,
            Constants = activation,
        };
        ShareRows(ref job, rows, 8L * x.Columns);
    }
}

/// <summary>Where the sequences of a step have their rows and a state.</summary>
internal readonly unsafe struct RecurrentStep
{
    private readonly int* _positions;
    private readonly int* _rowStarts;
    private readonly int* _slots;
    private readonly float* _state;
    private readonly long _size;

    public RecurrentStep(in StepInputs step, int state)
    {
        _positions = Pointer(step.Positions);
        _rowStarts = Pointer(step.RowStarts);
        _slots = Pointer(step.Slots);
        _state = (float*)step.States.State(state).Address;
        _size = step.States.Size(state);
    }

    public int FirstRow(int sequence) => _rowStarts[sequence];

    public int EndRow(int sequence) => _rowStarts[sequence + 1];

    /// <summary>True when the state is to be taken for zeros.</summary>
    public bool Begins(int sequence) => _positions[_rowStarts[sequence]] == 0;

    public float* State(int sequence) => _state + (_slots[sequence] * _size);

    private static int* Pointer(Ints view) => (int*)view.Buffer.Address + view.Start;
}
