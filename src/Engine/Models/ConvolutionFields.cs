using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>LFM's gated short convolution as its families write it in config.json and in tensor names.</summary>
/// <param name="Hidden">Width of the model.</param>
/// <param name="Width">Inputs that the convolution covers.</param>
/// <param name="Bias">Convolution and products have a bias.</param>
internal sealed record ConvolutionFields(int Hidden, int Width, bool Bias)
{
    public static ConvolutionFields Read(ConfigSection config, int hidden) => new(hidden, config.GetInt32("conv_L_cache", 1, 16, 3), config.GetBoolean("conv_bias", false));

    /// <param name="weights">Scope of the layer's mixer.</param>
    /// <param name="layer">Index among the layers of this kind, each of which has one state.</param>
    public ShortConvolution Mixer(WeightLoader weights, int layer) => new(
        layer,
        [weights.Linear("in_proj", 3 * Hidden, Hidden, Bias)],
        weights.Vector("conv.weight", [Hidden, 1, Width]),
        Bias ? weights.Vector("conv.bias", Hidden) : null,
        [weights.Linear("out_proj", Hidden, Hidden, Bias)]);

    /// <summary>Elements of the states of so many layers.</summary>
    public int[] States(int layers) => [.. Enumerable.Repeat((Width - 1) * Hidden, layers)];

    /// <summary>w1, w3, w2.</summary>
    public static GatedMlp Unit(WeightLoader w, int hidden, int inner) =>
        new([w.Linear("w1", inner, hidden), w.Linear("w3", inner, hidden)], [w.Linear("w2", hidden, inner)], Backends.ActivationKind.Silu);
}
