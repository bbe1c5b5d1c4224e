using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>The stack on which Linux delivers signals to a thread. Once a thread has used tiles, the system saves 12 KiB of registers there with every signal. The runtime's stack of 16 KiB leaves its
/// handler too little beside that, and a null reference would end the process instead of becoming an exception: threads that use tiles need a larger one.</summary>
internal static unsafe partial class SignalStack
{
    private const int Bytes = 64 * 1024, ReadWrite = 3, PrivateAnonymous = 0x22;

    [ThreadStatic]
    private static bool _isLarge;

    /// <summary>Gives the calling thread a large one, if it has none yet. It is kept for as long as the process lives: a thread may take a signal until its very end.</summary>
    public static void EnsureLarge()
    {
        if (_isLarge || !OperatingSystem.IsLinux())
        {
            return;
        }

        // stack_t: address, flags, size.
        var stack = stackalloc nint[3];
        var memory = mmap(0, Bytes, ReadWrite, PrivateAnonymous, -1, 0);
        (stack[0], stack[1], stack[2]) = (memory, 0, Bytes);
        _isLarge = memory != -1 && sigaltstack((nint)stack, 0) == 0;
    }

    [LibraryImport("libc")]
    private static partial nint mmap(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int sigaltstack(nint stack, nint previous);
}
