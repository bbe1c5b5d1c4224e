using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>CUlaunchConfig of cuda.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfig
{
    public uint GridX;
    public uint GridY;
    public uint GridZ;
    public uint BlockX;
    public uint BlockY;
    public uint BlockZ;
    public uint SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint AttributeCount;
}

/// <summary>CUlaunchAttribute of cuda.h: a number, and a union of 64 bytes of which the engine sets the first four.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    /// <summary>The launch may begin before the kernel in front of it has ended; it waits itself, by griddepcontrol.wait.</summary>
    public const int ProgrammaticStreamSerialization = 6;

    [FieldOffset(0)]
    public int Id;

    [FieldOffset(8)]
    public int Value;
}

/// <summary>Attributes of cuDeviceGetAttribute and cuFuncGetAttribute.</summary>
internal static class CudaAttribute
{
    public const int SharedPerBlockOptin = 97;
    public const int Multiprocessors = 16;
    public const int L2Bytes = 38;
    public const int ComputeMajor = 75;
    public const int ComputeMinor = 76;

    public const int FunctionStaticShared = 1;
    public const int FunctionLocalBytes = 3;
    public const int FunctionRegisters = 4;
    public const int FunctionMaxDynamicShared = 8;
}
