using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>NVIDIA's run-time compiler, by function pointers out of libnvrtc. Loaded once a process and never unloaded.</summary>
internal sealed unsafe class Nvrtc : INvrtc
{
    /// <summary>Set to "off", the compiler is not looked for, and the kernels of the package run: to see what it is worth.</summary>
    public const string Switch = "KVPREFETCH_NVRTC";

    private static readonly Lazy<(Nvrtc? Compiler, string? Reason)> Loaded = new(Load);

    private readonly delegate* unmanaged<int*, int*, int> _version;
    private readonly delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> _createProgram;
    private readonly delegate* unmanaged<nint*, int> _destroyProgram;
    private readonly delegate* unmanaged<nint, int, byte**, int> _compileProgram;
    private readonly delegate* unmanaged<nint, nuint*, int> _getCubinSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getCubin;
    private readonly delegate* unmanaged<nint, nuint*, int> _getPtxSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getPtx;
    private readonly delegate* unmanaged<nint, nuint*, int> _getLogSize;
    private readonly delegate* unmanaged<nint, byte*, int> _getLog;

    private Nvrtc(nint library)
    {
        void* Export(string name) => (void*)NativeLibrary.GetExport(library, name);
        _version = (delegate* unmanaged<int*, int*, int>)Export("nvrtcVersion");
        _createProgram = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)Export("nvrtcCreateProgram");
        _destroyProgram = (delegate* unmanaged<nint*, int>)Export("nvrtcDestroyProgram");
        _compileProgram = (delegate* unmanaged<nint, int, byte**, int>)Export("nvrtcCompileProgram");
        _getCubinSize = (delegate* unmanaged<nint, nuint*, int>)Export("nvrtcGetCUBINSize");
        _getCubin = (delegate* unmanaged<nint, byte*, int>)Export("nvrtcGetCUBIN");
        _getPtxSize = (delegate* unmanaged<nint, nuint*, int>)Export("nvrtcGetPTXSize");
        _getPtx = (delegate* unmanaged<nint, byte*, int>)Export("nvrtcGetPTX");
        _getLogSize = (delegate* unmanaged<nint, nuint*, int>)Export("nvrtcGetProgramLogSize");
        _getLog = (delegate* unmanaged<nint, byte*, int>)Export("nvrtcGetProgramLog");
    }

    /// <summary>The compiler, or null and one sentence that says what is missing and how to get it.</summary>
    public static Nvrtc? Find(out string? reason)
    {
        (var compiler, reason) = Loaded.Value;
        return compiler;
    }

    public int Version(int* major, int* minor) => _version(major, minor);
    public int CreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames) => _createProgram(program, source, name, headerCount, headers, includeNames);
    public int DestroyProgram(nint* program) => _destroyProgram(program);
    public int CompileProgram(nint program, int optionCount, byte** options) => _compileProgram(program, optionCount, options);
    public int GetCubinSize(nint program, nuint* size) => _getCubinSize(program, size);
    public int GetCubin(nint program, byte* cubin) => _getCubin(program, cubin);
    public int GetPtxSize(nint program, nuint* size) => _getPtxSize(program, size);
    public int GetPtx(nint program, byte* ptx) => _getPtx(program, ptx);
    public int GetLogSize(nint program, nuint* size) => _getLogSize(program, size);
    public int GetLog(nint program, byte* log) => _getLog(program, log);

    private static (Nvrtc? Compiler, string? Reason) Load()
    {
        if (Environment.GetEnvironmentVariable(Switch) == "off")
        {
            return (null, $"NVRTC is switched off by {Switch}.");
        }

        string[] names = OperatingSystem.IsWindows() ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"] : ["libnvrtc.so.13", "libnvrtc.so.12"];
        var library = NativeSearch.Find(names, userPath: null, out var looked);
        if (library == 0)
        {
            return (null, $"NVRTC, NVIDIA's run-time compiler, was not found: looked for {string.Join(" and ", names)} in {looked}. " +
                $"It comes with the CUDA toolkit, with Debian's libnvrtc12 and with the package libtorch-cuda of TorchSharp; {NativeSearch.Variable} may name its folder.");
        }

        try
        {
            var compiler = new Nvrtc(library);
            LoadBuiltins(compiler, Path.GetDirectoryName(looked));
            return (compiler, null);
        }
        catch (EntryPointNotFoundException e)
        {
            return (null, $"NVRTC ({looked}) is older than CUDA 12: {e.Message}");
        }
    }

    /// <summary>NVRTC opens a second library by its bare name, which the loader finds outside its own path only where it is open already.</summary>
    private static void LoadBuiltins(Nvrtc compiler, string? folder)
    {
        int major, minor;
        if (!string.IsNullOrEmpty(folder) && compiler.Version(&major, &minor) == 0)
        {
            var name = OperatingSystem.IsWindows() ? FormattableString.Invariant($"nvrtc-builtins64_{major}{minor}.dll") : FormattableString.Invariant($"libnvrtc-builtins.so.{major}.{minor}");
            NativeLibrary.TryLoad(Path.Combine(folder, name), out _);
        }
    }
}
