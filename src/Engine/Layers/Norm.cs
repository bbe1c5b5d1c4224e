using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>A normalisation of whole rows.</summary>
/// <param name="Gain"><c>[width]</c></param>
/// <param name="Bias"><c>[width]</c>, or null.</param>
/// <param name="Epsilon">Added to the mean square or the variance.</param>
/// <param name="Centered">True: LayerNorm. False: RMSNorm, which has no bias.</param>
internal sealed record Norm(DeviceBuffer Gain, DeviceBuffer? Bias, float Epsilon, bool Centered)
{
    /// <summary>output = norm(x); may be in place.</summary>
    public void Forward(IBackend backend, Rows x, Rows output, int rows)
    {
        if (Centered)
        {
            backend.LayerNorm(x, Gain, Bias, Epsilon, output, rows);
        }
        else
        {
            backend.RmsNorm(x, Gain, Epsilon, output, rows);
        }
    }

    /// <summary>residual += x * scale; output = norm(residual).</summary>
    public void ForwardAdding(IBackend backend, Rows residual, Rows x, float scale, Rows output, int rows)
    {
        if (Centered)
        {
            backend.Add(residual, x, scale, rows);
            backend.LayerNorm(residual, Gain, Bias, Epsilon, output, rows);
        }
        else
        {
            backend.AddRmsNorm(residual, x, scale, Gain, Epsilon, output, rows);
        }
    }
}
