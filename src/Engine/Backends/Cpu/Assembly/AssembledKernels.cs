using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>Micro-kernels of this process, assembled when first asked for and kept for its life. Safe for concurrent use.</summary>
internal sealed unsafe class AssembledKernels
{
    private static readonly Lazy<AssembledKernels?> Made = new(Make);

    private readonly ExecutableMemory _memory;

    private AssembledKernels(ExecutableMemory memory, nint[] starts)
    {
        _memory = memory;
        Dots = (nint*)NativeMemory.Alloc((nuint)starts.Length, (nuint)sizeof(nint));
        starts.CopyTo(new Span<nint>(Dots, starts.Length));
    }

    /// <summary>Null where the processor lacks the instructions or the system refuses memory to execute: managed kernels serve.</summary>
    public static AssembledKernels? Current => Made.Value;

    /// <summary>The kernels of <see cref="Bf16Dot"/> by <see cref="Index"/>: <c>delegate* unmanaged[SuppressGCTransition]&lt;Bf16DotArguments*, void&gt;</c>, at a fixed address for code that holds no references.</summary>
    public nint* Dots { get; }

    /// <summary>Place of the kernel for so many rows (1 to <see cref="Bf16Dot.MaxRows"/>) and outputs (1, 4, or 8 for one row).</summary>
    public static int Index(int rows, int outputs) => ((rows - 1) * 3) + (outputs / 4);

    private static AssembledKernels? Make()
    {
        if (!InstructionSets.Current.Avx512Bf16)
        {
            return null;
        }

        var code = new List<byte>();
        var starts = new nint[Bf16Dot.MaxRows * 3];
        for (var rows = 1; rows <= Bf16Dot.MaxRows; rows++)
        {
            foreach (var outputs in (ReadOnlySpan<int>)[1, 4, 8])
            {
                if (outputs == 8 && rows > 1)
                {
                    continue;
                }

                // Each at the start of a line of the cache.
                code.AddRange(new byte[-code.Count & 63]);
                starts[Index(rows, outputs)] = code.Count;
                code.AddRange(Bf16Dot.Assemble(rows, outputs, OperatingSystem.IsWindows()));
            }
        }

        var memory = ExecutableMemory.TryCreate(code.ToArray());
        return memory is null ? null : new AssembledKernels(memory, [.. starts.Select(s => memory.Address + s)]);
    }
}
