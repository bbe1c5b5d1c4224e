using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>A weight matrix <c>[rows, columns]</c>, row-major, in the type it is stored in. A linear layer has one row per output.</summary>
internal sealed record Weight(string Name, DType Type, int Rows, int Columns, DeviceBuffer Data)
{
    /// <summary>How the matrix is packed in few bits; null for elements of <see cref="Type"/>. What <see cref="Data"/> holds then is the backend's affair.</summary>
    public PackedMatrix? Packed { get; init; }

    /// <summary>What the matrix was quantised to while loading; <see cref="Data"/> then is as <see cref="GroupedLayout"/> says.</summary>
    public WeightFormat Format { get; init; }
}

/// <summary>One of several products that share their input; their outputs stand side by side.</summary>
/// <param name="Matrix"><c>[outputs, inputs]</c></param>
/// <param name="Bias"><c>[outputs]</c> float32, or null.</param>
internal sealed record Projection(Weight Matrix, DeviceBuffer? Bias);
