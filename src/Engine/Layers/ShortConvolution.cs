using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Gated short convolution: output = Output(C * convolution(B * u)), where B, C and u are one product of x.</summary>
/// <param name="State">Index of the state with the last inputs of the convolution.</param>
/// <param name="Input">B, C, u: <c>[3 * hidden]</c></param>
/// <param name="Kernel"><c>[hidden, width]</c></param>
/// <param name="Bias"><c>[hidden]</c>, or null.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record ShortConvolution(int State, Projection[] Input, DeviceBuffer Kernel, DeviceBuffer? Bias, Projection[] Output) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var width = x.Columns;
        Rows bcu = scratch.Projected.Slice(0, 3 * width), u = bcu.Slice(2 * width, width);
        backend.Linear(x, Input, bcu, step.TokenCount);
        backend.Multiply(u, bcu.Slice(0, width), ActivationKind.Identity, u, step.TokenCount);
        backend.ShortConvolution(step, State, u, Kernel, Bias, activation: null, u);
        backend.Multiply(u, bcu.Slice(width, width), ActivationKind.Identity, u, step.TokenCount);
        backend.Linear(u, Output, output, step.TokenCount);
    }
}
