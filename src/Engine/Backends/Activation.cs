namespace KvPrefetch.Engine.Backends;

/// <summary>The function of a gated unit.</summary>
internal enum Activation
{
    /// <summary>x * sigmoid(x)</summary>
    Silu,
}
