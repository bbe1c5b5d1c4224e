namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>A kernel as it is compiled and launched. Its source is the embedded file <c>Name.cu</c>, whose one entry point is <c>Name</c> and takes one <c>__grid_constant__</c> struct.
/// The source sees, beside <see cref="Defines"/>: <c>PARAMS_BYTES</c>, against which it asserts the size of its struct, <c>THREADS</c>, and <c>ARCHITECTURE</c> (80, 90, ...).</summary>
/// <param name="Name">File and entry point.</param>
/// <param name="ParamsBytes">Size of the params struct: <c>sizeof</c> of its C# twin.</param>
/// <param name="Threads">Of a block.</param>
internal sealed record KernelSpec(string Name, int ParamsBytes, int Threads)
{
    /// <summary>Macros of this variant, in a fixed order.</summary>
    public IReadOnlyList<(string Name, int Value)> Defines { get; init; } = [];

    /// <summary>More options of the compiler, such as <c>--use_fast_math</c>.</summary>
    public IReadOnlyList<string> Flags { get; init; } = [];

    /// <summary>Dynamic shared memory of a block, unless the launch says otherwise (never more than this).</summary>
    public int SharedBytes { get; init; }

    /// <summary>Registers of a thread that a test allows; none may spill.</summary>
    public int RegisterBudget { get; init; } = 255;

    /// <summary>Least compute capability times ten.</summary>
    public int MinArchitecture { get; init; } = 80;

    /// <summary>The next launch in the stream may begin before this kernel's predecessor has ended: the kernel itself waits (<c>griddepcontrol.wait</c>).</summary>
    public bool Overlaps { get; init; }

    /// <summary>Name and macros: what messages and tests call the variant, and what tells variants apart.</summary>
    public string Variant => Defines.Count == 0 ? Name : $"{Name}[{string.Join(",", Defines.Select(d => FormattableString.Invariant($"{d.Name}={d.Value}")))}]";
}
