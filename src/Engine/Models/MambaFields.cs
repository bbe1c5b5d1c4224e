using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>Mamba 2 as families write it in config.json and in tensor names.</summary>
/// <param name="Hidden">Width of the model.</param>
/// <param name="Shape">Of the scan.</param>
/// <param name="Width">Inputs that the convolution covers.</param>
/// <param name="ConvolutionBias">The convolution has a bias.</param>
/// <param name="Bias">The two products have one.</param>
internal sealed record MambaFields(int Hidden, ScanShape Shape, int Width, bool ConvolutionBias, bool Bias)
{
    public int[] States => StateSpace.States(Shape, Width);

    /// <param name="config">config.json.</param>
    /// <param name="hidden">Width of the model.</param>
    /// <param name="names">Fields of: heads, head size, groups, state size, width, bias of the convolution, bias of the products.</param>
    public static MambaFields Read(HfConfig config, int hidden, (string Heads, string HeadDim, string Groups, string StateSize, string Width, string ConvolutionBias, string Bias) names)
    {
        int heads = config.GetInt32(names.Heads, 1, 1 << 16), groups = config.GetInt32(names.Groups, 1, 1 << 16, 1);
        if (heads % groups != 0)
        {
            throw config.Invalid(names.Heads, $"must be a multiple of {names.Groups} ({groups})");
        }

        var limit = config.FindDoubleArray("time_step_limit", 0, double.PositiveInfinity, 2) ?? [0, double.PositiveInfinity];
        if (limit.Length != 2 || limit[0] > limit[1])
        {
            throw config.Invalid("time_step_limit", "must be two numbers, the lower first");
        }

        var shape = new ScanShape(heads, config.GetInt32(names.HeadDim, 1, 1 << 12), groups, config.GetInt32(names.StateSize, 1, 1 << 12), (float)limit[0], (float)limit[1]);
        if ((long)shape.Heads * shape.HeadDim * shape.StateSize > 1 << 28 || shape.XbcColumns > 1 << 22)
        {
            throw config.Invalid(names.Heads, $"makes a state of {(long)shape.Heads * shape.HeadDim * shape.StateSize} elements; at most {1 << 28} are allowed");
        }

        return new MambaFields(hidden, shape, config.GetInt32(names.Width, 1, 16, 4), config.GetBoolean(names.ConvolutionBias, true), config.GetBoolean(names.Bias, false));
    }

    /// <param name="weights">Scope of the layer's mixer.</param>
    /// <param name="layer">Index among the layers of this kind, each of which has two states.</param>
    /// <param name="norm">Norm and gate, or null for the gate alone.</param>
    public StateSpace Mixer(WeightLoader weights, int layer, GateNorm? norm) => new(
        2 * layer,
        Shape,
        [weights.Linear("in_proj", StateSpace.InputColumns(Shape), Hidden, Bias)],
        (weights.Vector("conv1d.weight", [Shape.XbcColumns, 1, Width]), ConvolutionBias ? weights.Vector("conv1d.bias", Shape.XbcColumns) : null),
        new ScanWeights(weights.Vector("A_log", Shape.Heads), weights.Vector("dt_bias", Shape.Heads), weights.Vector("D", Shape.Heads)),
        norm,
        [weights.Linear("out_proj", Hidden, Shape.Columns, Bias)]);
}
