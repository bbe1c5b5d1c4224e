namespace KvPrefetch.Engine.Backends.Cpu;

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
