using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Recurrent layers: a launch goes over all tokens of the step, sequences beside each other. States lie as the contract names them.</summary>
internal sealed unsafe partial class CudaBackend
{
    public void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output)
    {
        var width = (int)(kernel.Length / x.Columns);
        if (width > 16)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The CUDA backend does convolutions of at most 16 tokens, not {width}.");
        }

        var parameters = new ShortConvolutionParams
        {
            X = new(x),
            Output = new(output),
            Kernel = kernel.Address,
            Bias = bias?.Address ?? 0,
            States = step.States.State(state).Address,
            Slots = At(step.Slots),
            RowStarts = At(step.RowStarts),
            Positions = At(step.Positions),
            StateSize = step.States.Size(state),
            Activation = new(activation ?? default),
            Columns = x.Columns,
            Activated = activation is null ? 0 : 1,
        };
        var launched = Kernel(CudaKernels.ShortConvolution(width));
        launched.Launch(_stream, Blocks(x.Columns, launched.Spec.Threads), step.SequenceCount, 1, parameters);
    }

    public void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output)
    {
        if (shape.StateSize > CudaKernels.MaxScanState)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The CUDA backend does selective scans with a state of at most {CudaKernels.MaxScanState}, not {shape.StateSize}.");
        }

        var parameters = new SelectiveScanParams
        {
            Xbc = new(xbc),
            Steps = new(steps),
            Output = new(output),
            LogDecay = weights.LogDecay.Address,
            StepBias = weights.StepBias.Address,
            Skip = weights.Skip.Address,
            States = step.States.State(state).Address,
            Slots = At(step.Slots),
            RowStarts = At(step.RowStarts),
            Positions = At(step.Positions),
            StateElements = step.States.Size(state),
            Heads = shape.Heads,
            HeadDim = shape.HeadDim,
            Groups = shape.Groups,
            StateSize = shape.StateSize,
            MinStep = shape.MinStep,
            MaxStep = shape.MaxStep,
        };
        var kernel = Kernel(CudaKernels.SelectiveScan(shape.StateSize));
        kernel.Launch(_stream, Blocks(shape.Columns, kernel.Spec.Threads / 32), step.SequenceCount, 1, parameters);
    }

    public void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output)
    {
        if (shape.KeyDim > CudaKernels.MaxKeyDim)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The CUDA backend does delta rules with keys of at most {CudaKernels.MaxKeyDim} elements, not {shape.KeyDim}.");
        }

        var parameters = new GatedDeltaParams
        {
            Qkv = new(qkv),
            Betas = new(betas),
            Decays = new(decays),
            Output = new(output),
            LogDecay = weights.LogDecay.Address,
            DecayBias = weights.DecayBias.Address,
            States = step.States.State(state).Address,
            Slots = At(step.Slots),
            RowStarts = At(step.RowStarts),
            Positions = At(step.Positions),
            StateElements = step.States.Size(state),
            KeyHeads = shape.KeyHeads,
            ValueHeads = shape.ValueHeads,
            KeyDim = shape.KeyDim,
            ValueDim = shape.ValueDim,
            DecaysPerHead = decays.Columns / shape.ValueHeads,
            BetaScale = shape.BetaScale,
        };
        var kernel = Kernel(CudaKernels.GatedDelta);
        kernel.Launch(_stream, shape.ValueHeads, step.SequenceCount, Blocks(shape.ValueDim, kernel.Spec.Threads), parameters);
    }
}
