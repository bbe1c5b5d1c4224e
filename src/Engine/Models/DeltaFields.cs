using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>The gated delta rule as families write it in config.json and in tensor names.</summary>
/// <param name="Hidden">Width of the model.</param>
/// <param name="Shape">Of the delta rule.</param>
/// <param name="Width">Inputs that the convolution covers.</param>
internal sealed record DeltaFields(int Hidden, DeltaShape Shape, int Width)
{
    public int[] States => DeltaRule.States(Shape, Width);

    public static DeltaFields Read(HfConfig config, int hidden, float betaScale = 1)
    {
        int keyHeads = config.GetInt32("linear_num_key_heads", 1, 4096), valueHeads = config.GetInt32("linear_num_value_heads", 1, 4096);
        if (valueHeads % keyHeads != 0)
        {
            throw config.Invalid("linear_num_value_heads", $"must be a multiple of linear_num_key_heads ({keyHeads})");
        }

        var shape = new DeltaShape(keyHeads, valueHeads, config.GetInt32("linear_key_head_dim", 1, 1024), config.GetInt32("linear_value_head_dim", 1, 1024), betaScale);
        return (long)valueHeads * shape.KeyDim * shape.ValueDim <= 1 << 28
            ? new DeltaFields(hidden, shape, config.GetInt32("linear_conv_kernel_dim", 1, 16))
            : throw config.Invalid("linear_num_value_heads", $"makes a state of {(long)valueHeads * shape.KeyDim * shape.ValueDim} elements; at most {1 << 28} are allowed");
    }

    /// <param name="weights">Scope of the layer's mixer.</param>
    /// <param name="layer">Index among the layers of this kind, each of which has two states.</param>
    /// <param name="input">q | k | v | gate | betas | decays.</param>
    /// <param name="kernel">Of the convolution over q, k and v.</param>
    /// <param name="norm">Of a head's output, and its gate.</param>
    /// <param name="output">Name of the last product.</param>
    public DeltaRule Mixer(WeightLoader weights, int layer, Projection[] input, DeviceBuffer kernel, GateNorm norm, string output) => new(
        2 * layer,
        Shape,
        input,
        kernel,
        new DeltaWeights(weights.Vector("A_log", Shape.ValueHeads), weights.Vector("dt_bias", Shape.ValueHeads)),
        norm,
        [weights.Linear(output, Hidden, Shape.ValueColumns)]);
}
