using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Reads weights of one stored type as float vectors, two vectors (a block of 2 * Width elements) at a time.
/// 16-bit types are read as even and odd places of the block, which costs one instruction each; activations are laid out to match.</summary>
internal unsafe interface IWeightReader<V>
    where V : struct
{
    static abstract int ElementSize { get; }

    /// <summary>True when <see cref="First"/> and <see cref="Second"/> are even and odd places rather than halves of the block.</summary>
    static abstract bool Interleaved { get; }
    static abstract V First(byte* block);
    static abstract V Second(byte* block);
    static abstract float Scalar(byte* element);
}

internal readonly unsafe struct BFloat16Weights<TLanes, V> : IWeightReader<V>
    where TLanes : ILanes<V>
    where V : struct
{
    public static int ElementSize => 2;
    public static bool Interleaved => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First(byte* block) => TLanes.EvenHighHalves((ushort*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second(byte* block) => TLanes.OddHighHalves((ushort*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scalar(byte* element) => BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(element) << 16);
}

internal readonly unsafe struct Float16Weights<TLanes, V> : IWeightReader<V>
    where TLanes : ILanes<V>
    where V : struct
{
    public static int ElementSize => 2;
    public static bool Interleaved => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First(byte* block) => TLanes.FromHalfBits(TLanes.EvenHighHalves((ushort*)block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second(byte* block) => TLanes.FromHalfBits(TLanes.OddHighHalves((ushort*)block));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scalar(byte* element) => (float)Unsafe.ReadUnaligned<Half>(element);
}

internal readonly unsafe struct Float32Weights<TLanes, V> : IWeightReader<V>
    where TLanes : ILanes<V>
    where V : struct
{
    public static int ElementSize => 4;
    public static bool Interleaved => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First(byte* block) => TLanes.Load((float*)block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second(byte* block) => TLanes.Load((float*)block + TLanes.Width);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Scalar(byte* element) => Unsafe.ReadUnaligned<float>(element);
}
