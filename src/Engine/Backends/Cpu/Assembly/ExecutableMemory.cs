using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>Machine code in memory of its own: written first, then made executable and never writable again.</summary>
internal sealed unsafe partial class ExecutableMemory : SafeHandle
{
    private readonly nuint _bytes;

    private ExecutableMemory(nint address, nuint bytes) : base(0, ownsHandle: true)
    {
        _bytes = bytes;
        SetHandle(address);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>First byte of the code.</summary>
    public nint Address => handle;

    /// <summary>The code in memory that may be executed and read; null where the system allows no such memory.</summary>
    public static ExecutableMemory? TryCreate(ReadOnlySpan<byte> code)
    {
        var bytes = checked((nuint)Math.Max(code.Length, 1) + (nuint)Environment.SystemPageSize - 1) & ~((nuint)Environment.SystemPageSize - 1);
        var address = OperatingSystem.IsWindows() ? Windows.Allocate(bytes) : Unix.Allocate(bytes);
        if (address == 0)
        {
            return null;
        }

        var memory = new ExecutableMemory(address, bytes);
        code.CopyTo(new Span<byte>((void*)address, code.Length));
        if (OperatingSystem.IsWindows() ? Windows.Seal(address, bytes) : Unix.Seal(address, bytes))
        {
            return memory;
        }

        memory.Dispose();
        return null;
    }

    protected override bool ReleaseHandle() => OperatingSystem.IsWindows() ? Windows.Free(handle) : Unix.Free(handle, _bytes);

    private static partial class Unix
    {
        private const int Read = 1, Write = 2, Execute = 4, Private = 2;

        private static int Anonymous => OperatingSystem.IsLinux() ? 0x20 : 0x1000;

        public static nint Allocate(nuint bytes) => mmap(0, bytes, Read | Write, Private | Anonymous, -1, 0) is var address && address == -1 ? 0 : address;

        public static bool Seal(nint address, nuint bytes) => mprotect(address, bytes, Read | Execute) == 0;

        public static bool Free(nint address, nuint bytes) => munmap(address, bytes) == 0;

        [LibraryImport("libc")]
        private static partial nint mmap(nint address, nuint bytes, int protection, int flags, int file, nint offset);

        [LibraryImport("libc")]
        private static partial int mprotect(nint address, nuint bytes, int protection);

        [LibraryImport("libc")]
        private static partial int munmap(nint address, nuint bytes);
    }

    private static partial class Windows
    {
        private const uint CommitAndReserve = 0x3000, Release = 0x8000, ReadWrite = 0x04, ExecuteRead = 0x20;

        public static nint Allocate(nuint bytes) => VirtualAlloc(0, bytes, CommitAndReserve, ReadWrite);

        public static bool Seal(nint address, nuint bytes) => VirtualProtect(address, bytes, ExecuteRead, out _) != 0 && FlushInstructionCache(GetCurrentProcess(), address, bytes) != 0;

        public static bool Free(nint address) => VirtualFree(address, 0, Release) != 0;

        [LibraryImport("kernel32")]
        private static partial nint VirtualAlloc(nint address, nuint bytes, uint type, uint protection);

        [LibraryImport("kernel32")]
        private static partial int VirtualProtect(nint address, nuint bytes, uint protection, out uint previous);

        [LibraryImport("kernel32")]
        private static partial int VirtualFree(nint address, nuint bytes, uint type);

        [LibraryImport("kernel32")]
        private static partial int FlushInstructionCache(nint process, nint address, nuint bytes);

        [LibraryImport("kernel32")]
        private static partial nint GetCurrentProcess();
    }
}
