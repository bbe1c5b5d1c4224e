using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>Micro-kernels of this process, assembled when first asked for and kept for its life, at fixed addresses for code that holds no references. Safe for concurrent use.</summary>
internal static unsafe class AssembledKernels
{
    private static readonly Lazy<nint> DotTable = new(MakeDots);
    private static readonly Lazy<nint> TileTable = new(MakeTiles);
    private static readonly Lazy<nint> GroupedDotTable = new(MakeGroupedDots);
    private static readonly Lazy<nint> GroupedTileTable = new(MakeGroupedTiles);

    /// <summary>Kernels of <see cref="Bf16Dot"/> by <see cref="DotIndex"/>: <c>delegate* unmanaged[SuppressGCTransition]&lt;Bf16DotArguments*, void&gt;</c>.
    /// Null where the processor lacks the instructions or the system refuses memory to execute: managed kernels serve.</summary>
    public static nint* Dots => (nint*)DotTable.Value;

    /// <summary>Kernels of <see cref="TileDot"/>, likewise.</summary>
    public static TileKernels* Tiles => (TileKernels*)TileTable.Value;

    /// <summary>Kernels of <see cref="GroupedVectorDot"/> by <see cref="GroupedDotIndex"/>: <c>delegate* unmanaged[SuppressGCTransition]&lt;GroupedDotArguments*, void&gt;</c>; null as above.</summary>
    public static nint* GroupedDots => (nint*)GroupedDotTable.Value;

    /// <summary>Kernels of <see cref="GroupedTileDot"/>, likewise.</summary>
    public static GroupedTileKernels* GroupedTiles => (GroupedTileKernels*)GroupedTileTable.Value;

    /// <summary>Rows of the highest of <see cref="GroupedDots"/>.</summary>
    public static int GroupedDotRows => InstructionSets.Current.Avx512Vnni ? GroupedVectorDot.MaxRows : GroupedVectorDot.MaxNarrowRows;

    /// <summary>Place of the kernel for so many rows, 1 to <see cref="GroupedDotRows"/>.</summary>
    public static int GroupedDotIndex(int rows, bool fourBits) => ((rows - 1) * 2) + (fourBits ? 1 : 0);

    /// <summary>Place of the kernel for so many rows (1 to <see cref="Bf16Dot.MaxRows"/>) and outputs (1, 4, or 8 for one row).</summary>
    public static int DotIndex(int rows, int outputs) => ((rows - 1) * 3) + (outputs / 4);

    private static nint MakeDots()
    {
        if (!InstructionSets.Current.Avx512Bf16)
        {
            return 0;
        }

        var kernels = new byte[Bf16Dot.MaxRows * 3][];
        for (var rows = 1; rows <= Bf16Dot.MaxRows; rows++)
        {
            foreach (var outputs in (ReadOnlySpan<int>)[1, 4, 8])
            {
                kernels[DotIndex(rows, outputs)] = outputs == 8 && rows > 1 ? [] : Bf16Dot.Assemble(rows, outputs, OperatingSystem.IsWindows());
            }
        }

        return (nint)Place(kernels);
    }

    private static nint MakeTiles()
    {
        if (!InstructionSets.Current.AmxBf16)
        {
            return 0;
        }

        var windows = OperatingSystem.IsWindows();
        return (nint)Place(
            TileDot.Configuration(), TileDot.AssembleConfigure(windows), TileDot.AssembleRelease(),
            TileDot.AssembleProduct(1, 1, windows), TileDot.AssembleProduct(1, 2, windows), TileDot.AssembleProduct(2, 1, windows), TileDot.AssembleProduct(2, 2, windows));
    }

    private static nint MakeGroupedDots()
    {
        if (!InstructionSets.Current.Avx512Vnni && !InstructionSets.Current.AvxVnni)
        {
            return 0;
        }

        var windows = OperatingSystem.IsWindows();
        var kernels = new byte[GroupedDotRows * 2][];
        for (var rows = 1; rows <= GroupedDotRows; rows++)
        {
            foreach (var fourBits in (ReadOnlySpan<bool>)[false, true])
            {
                kernels[GroupedDotIndex(rows, fourBits)] = InstructionSets.Current.Avx512Vnni ? GroupedVectorDot.Assemble(rows, fourBits, windows) : GroupedVectorDot.AssembleNarrow(rows, fourBits, windows);
            }
        }

        return (nint)Place(kernels);
    }

    private static nint MakeGroupedTiles()
    {
        if (!InstructionSets.Current.AmxInt8)
        {
            return 0;
        }

        var windows = OperatingSystem.IsWindows();
        return (nint)Place(GroupedTileDot.Configuration(), TileDot.AssembleConfigure(windows), TileDot.AssembleRelease(), GroupedTileDot.Assemble(fourBits: false, windows), GroupedTileDot.Assemble(fourBits: true, windows));
    }

    /// <summary>Puts code, each piece at the start of a cache line, into executable memory and gives the pieces' addresses; null where that is refused.</summary>
    private static nint* Place(params byte[][] pieces)
    {
        var code = new List<byte>();
        var starts = new nint[pieces.Length];
        for (var i = 0; i < pieces.Length; i++)
        {
            code.AddRange(new byte[-code.Count & 63]);
            starts[i] = code.Count;
            code.AddRange(pieces[i]);
        }

        if (ExecutableMemory.TryCreate(code.ToArray()) is not { } memory)
        {
            return null;
        }

        // Code that may be running is never given back.
        var kept = false;
        memory.DangerousAddRef(ref kept);
        var table = (nint*)NativeMemory.Alloc((nuint)pieces.Length, (nuint)sizeof(nint));
        for (var i = 0; i < pieces.Length; i++)
        {
            table[i] = memory.Address + starts[i];
        }

        return table;
    }
}

/// <summary>Addresses of the kernels of <see cref="TileDot"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct TileKernels
{
    private readonly nint _configuration;
    private readonly delegate* unmanaged[SuppressGCTransition]<nint, void> _configure;
    private readonly delegate* unmanaged[SuppressGCTransition]<void> _release;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileDotArguments*, void> _oneByOne;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileDotArguments*, void> _oneByTwo;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileDotArguments*, void> _twoByOne;
    private readonly delegate* unmanaged[SuppressGCTransition]<TileDotArguments*, void> _twoByTwo;

    /// <summary>To be called by each thread before its first product.</summary>
    public void Configure()
    {
        SignalStack.EnsureLarge();
        _configure(_configuration);
    }

    /// <summary>To be called by each thread after its last product.</summary>
    public void Release() => _release();

    /// <summary>16 outputs a group, 16 rows a block; one or two of each.</summary>
    public void Product(int outputGroups, int rowBlocks, TileDotArguments* arguments) =>
        (outputGroups == 1 ? rowBlocks == 1 ? _oneByOne : _oneByTwo : rowBlocks == 1 ? _twoByOne : _twoByTwo)(arguments);
}

/// <summary>Addresses of the kernels of <see cref="GroupedTileDot"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct GroupedTileKernels
{
    private readonly nint _configuration;
    private readonly delegate* unmanaged[SuppressGCTransition]<nint, void> _configure;
    private readonly delegate* unmanaged[SuppressGCTransition]<void> _release;
    private readonly delegate* unmanaged[SuppressGCTransition]<GroupedDotArguments*, void> _eightBits;
    private readonly delegate* unmanaged[SuppressGCTransition]<GroupedDotArguments*, void> _fourBits;

    /// <summary>To be called by each thread before its first product.</summary>
    public void Configure()
    {
        SignalStack.EnsureLarge();
        _configure(_configuration);
    }

    /// <summary>To be called by each thread after its last product.</summary>
    public void Release() => _release();

    public void Product(bool fourBits, GroupedDotArguments* arguments) => (fourBits ? _fourBits : _eightBits)(arguments);
}
