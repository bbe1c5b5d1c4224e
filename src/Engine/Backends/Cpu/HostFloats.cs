using System.Runtime.InteropServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Floats out of host memory of any stored type.</summary>
internal static unsafe class HostFloats
{
    /// <summary>Types that weights may have on the CPU.</summary>
    public static bool CanRead(DType type) => type is DType.F32 or DType.F16 or DType.BF16;

    /// <summary>A vector of any stored type as float32 in memory of its own, <paramref name="offset"/> added to every element.</summary>
    public static DeviceBuffer Vector(DType type, int length, nint address, float offset)
    {
        var vector = DeviceBuffer.OnHost(DType.F32, length);
        var values = new Span<float>((void*)vector.Address, length);
        Read((byte*)address, type, values);
        foreach (ref var value in values)
        {
            value += offset;
        }

        return vector;
    }

    public static void Read(byte* source, DType type, Span<float> destination)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<byte>(source, checked(destination.Length * 4)).CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case DType.BF16:
                FloatFormats.BFloat16ToSingle(new ReadOnlySpan<ushort>(source, destination.Length), destination);
                break;
            case DType.F16:
                FloatFormats.HalfToSingle(new ReadOnlySpan<ushort>(source, destination.Length), destination);
                break;
            default:
                throw new NotSupportedException($"{type} weights");
        }
    }
}
