using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Sources to machine code or PTX, by NVRTC.</summary>
internal sealed unsafe class KernelCompiler
{
    private readonly INvrtc _nvrtc;

    private delegate int GetSize(nint program, nuint* size);

    private delegate int GetCode(nint program, byte* code);

    public KernelCompiler(INvrtc nvrtc)
    {
        _nvrtc = nvrtc;
        int major, minor;
        Check(nvrtc.Version(&major, &minor), "its version was asked for");
        Version = FormattableString.Invariant($"{major}.{minor}");
    }

    public string Version { get; }

    /// <summary>Names everything that a kernel's code depends on but the compiler's version.</summary>
    public static string Hash(KernelSpec spec, int architecture)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\0"));
        Array.ForEach(Options(spec, architecture, Target(architecture)), Add);
        Add(KernelSources.Of(spec.Name));
        foreach (var (name, text) in KernelSources.Headers)
        {
            Add(name);
            Add(text);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The machine code (cubin) of a kernel.</summary>
    /// <exception cref="DeviceException">Fault: it does not compile, with what the compiler said.</exception>
    public byte[] Compile(KernelSpec spec, int architecture) => Compile(spec, architecture, out _);

    /// <summary>The same; <paramref name="log"/> is what the compiler said, with <c>--ptxas-options=-v</c> among the flags the registers and spills.</summary>
    public byte[] Compile(KernelSpec spec, int architecture, out string log) => Compile(spec, architecture, Target(architecture), _nvrtc.GetCubinSize, _nvrtc.GetCubin, out log);

    /// <summary>Code that the driver of any card from this architecture on translates, with the zero at its end.</summary>
    public byte[] CompilePtx(KernelSpec spec, int architecture) =>
        Compile(spec, architecture, FormattableString.Invariant($"compute_{architecture}"), _nvrtc.GetPtxSize, _nvrtc.GetPtx, out _);

    private byte[] Compile(KernelSpec spec, int architecture, string target, GetSize getSize, GetCode getCode, out string log)
    {
        using var texts = new Texts();
        (string Name, string Text)[] headers = [.. KernelSources.Headers];
        var flags = Options(spec, architecture, target);
        byte** includes = texts.Add([.. headers.Select(h => h.Text)]), names = texts.Add([.. headers.Select(h => h.Name)]), options = texts.Add(flags);
        nint program = 0;
        Check(_nvrtc.CreateProgram(&program, texts.Add(KernelSources.Of(spec.Name)), texts.Add(spec.Name + ".cu"), headers.Length, includes, names), $"'{spec.Variant}' was prepared");
        try
        {
            if (_nvrtc.CompileProgram(program, flags.Length, options) is not 0 and var result)
            {
                throw new DeviceException(DeviceException.Fault, $"The kernel {spec.Variant} does not compile for {target} (NVRTC {Version}, error {result}): {Log(program)}");
            }

            nuint size = 0;
            Check(getSize(program, &size), $"'{spec.Variant}' was read");
            var code = new byte[size];
            fixed (byte* data = code)
            {
                Check(getCode(program, data), $"'{spec.Variant}' was read");
            }

            log = Log(program);
            return code;
        }
        finally
        {
            _ = _nvrtc.DestroyProgram(&program);
        }
    }

    /// <summary>Hopper and later have instructions that only the very architecture's code may use.</summary>
    private static string Target(int architecture) => FormattableString.Invariant($"sm_{architecture}{(architecture >= 90 ? "a" : "")}");

    private static string[] Options(KernelSpec spec, int architecture, string target) =>
    [
        "--gpu-architecture=" + target,
        "--std=c++17",
        "--device-as-default-execution-space",
        FormattableString.Invariant($"-DPARAMS_BYTES={spec.ParamsBytes}"),
        FormattableString.Invariant($"-DTHREADS={spec.Threads}"),
        FormattableString.Invariant($"-DARCHITECTURE={architecture}"),
        .. spec.Defines.Select(d => FormattableString.Invariant($"-D{d.Name}={d.Value}")),
        .. spec.Flags,
    ];

    private string Log(nint program)
    {
        nuint size = 0;
        if (_nvrtc.GetLogSize(program, &size) != 0 || size < 2)
        {
            return "it says nothing";
        }

        var log = new byte[size];
        fixed (byte* data = log)
        {
            return _nvrtc.GetLog(program, data) == 0 ? Encoding.UTF8.GetString(log, 0, log.Length - 1).Trim() : "it says nothing";
        }
    }

    private static void Check(int result, string doing)
    {
        if (result != 0)
        {
            throw new DeviceException(DeviceException.Fault, FormattableString.Invariant($"NVRTC error {result} while {doing}."));
        }
    }

    /// <summary>Strings as C has them, until the end of a compilation.</summary>
    private sealed class Texts : IDisposable
    {
        private readonly List<nint> _blocks = [];

        public byte* Add(string text)
        {
            _blocks.Add(Marshal.StringToCoTaskMemUTF8(text));
            return (byte*)_blocks[^1];
        }

        public byte** Add(string[] texts)
        {
            var array = (byte**)Marshal.AllocCoTaskMem(checked((texts.Length + 1) * sizeof(nint)));
            _blocks.Add((nint)array);
            for (var i = 0; i < texts.Length; i++)
            {
                array[i] = Add(texts[i]);
            }

            return array;
        }

        public void Dispose() => _blocks.ForEach(Marshal.FreeCoTaskMem);
    }
}
