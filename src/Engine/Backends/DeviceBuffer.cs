using System.Runtime.InteropServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>A run of memory that one backend uses. <see cref="Address"/> is meaningful to that backend alone (the CPU's are plain pointers).</summary>
/// <param name="address">First byte.</param>
/// <param name="type">Type of the elements.</param>
/// <param name="length">Number of elements.</param>
/// <param name="owner">Gives the memory back; null when somebody else owns it (a mapped file).</param>
internal sealed class DeviceBuffer(nint address, DType type, long length, SafeHandle? owner) : IDisposable
{
    public nint Address { get; private set; } = address;
    public DType Type => type;
    public long Length => length;

    /// <summary>Zeroed host memory, aligned to 64 bytes; large buffers cost physical memory only as they are touched.</summary>
    public static DeviceBuffer OnHost(DType type, long length)
    {
        var memory = new HostMemory(checked(length * type.ByteSize()));
        return new DeviceBuffer(memory.Aligned, type, length, memory);
    }

    public void Dispose()
    {
        owner?.Dispose();
        Address = 0;
    }

    private sealed class HostMemory : SafeHandle
    {
        // calloc leaves large zero pages to the system, which an aligned allocation followed by a fill would not: so over-allocate and align by hand.
        public unsafe HostMemory(long bytes) : base(0, ownsHandle: true) => SetHandle((nint)NativeMemory.AllocZeroed(checked((nuint)bytes + 64)));

        public nint Aligned => (handle + 63) & ~63;

        public override bool IsInvalid => handle == 0;

        protected override unsafe bool ReleaseHandle()
        {
            NativeMemory.Free((void*)handle);
            return true;
        }
    }
}
