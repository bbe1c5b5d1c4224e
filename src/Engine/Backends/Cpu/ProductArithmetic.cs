namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>What products with weights do to activations. Within one backend a row's bits are the same in any batch, whichever it is.</summary>
internal enum ProductArithmetic
{
    /// <summary>Nothing: float32.</summary>
    Exact,

    /// <summary>They are rounded to bfloat16 before each product, which is then summed in float32.</summary>
    Fast,
}

/// <summary>Which kernels serve.</summary>
internal enum ProductKernels
{
    /// <summary>Those assembled at run time, where the processor and the system allow it and the arithmetic has a use for them.</summary>
    Auto,

    /// <summary>Only those written in C#.</summary>
    Managed,

    /// <summary>Those of <see cref="Assembly.Bf16Dot"/>, fast or not: for tests and measurements.</summary>
    VectorDots,

    /// <summary>Those of <see cref="Assembly.TileDot"/>, likewise.</summary>
    Tiles,
}
