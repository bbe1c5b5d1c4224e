using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Sources to machine code, by NVRTC.</summary>
internal sealed unsafe class KernelCompiler
{
    private readonly INvrtc _nvrtc;

    public KernelCompiler(INvrtc nvrtc)
    {
        _nvrtc = nvrtc;
        int major, minor;
        Check(nvrtc.Version(&major, &minor), "its version was asked for");
        Version = FormattableString.Invariant($"{major}.{minor}");
    }

    public string Version { get; }

    /// <summary>Names everything that the machine code depends on.</summary>
    public string Hash(KernelSpec spec, int architecture)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        void Add(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\0"));
        Add(Version);
        Array.ForEach(Options(spec, architecture), Add);
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
    public byte[] Compile(KernelSpec spec, int architecture, out string log)
    {
        using var texts = new Texts();
        (string Name, string Text)[] headers = [.. KernelSources.Headers];
        byte** includes = texts.Add([.. headers.Select(h => h.Text)]), names = texts.Add([.. headers.Select(h => h.Name)]), options = texts.Add(Options(spec, architecture));
        nint program = 0;
        Check(_nvrtc.CreateProgram(&program, texts.Add(KernelSources.Of(spec.Name)), texts.Add(spec.Name + ".cu"), headers.Length, includes, names), $"'{spec.Variant}' was prepared");
        try
        {
            if (_nvrtc.CompileProgram(program, Options(spec, architecture).Length, options) is not 0 and var result)
            {
                throw new DeviceException(DeviceException.Fault, $"The kernel {spec.Variant} does not compile for sm_{architecture} (NVRTC {Version}, error {result}): {Log(program)}");
            }

            nuint size = 0;
            Check(_nvrtc.GetCubinSize(program, &size), $"'{spec.Variant}' was read");
            var cubin = new byte[size];
            fixed (byte* data = cubin)
            {
                Check(_nvrtc.GetCubin(program, data), $"'{spec.Variant}' was read");
            }

            log = Log(program);

            return cubin;
        }
        finally
        {
            _ = _nvrtc.DestroyProgram(&program);
        }
    }

    /// <summary>Hopper and later have instructions that only the very architecture's code may use.</summary>
    private static string Target(int architecture) => FormattableString.Invariant($"sm_{architecture}{(architecture >= 90 ? "a" : "")}");

    private static string[] Options(KernelSpec spec, int architecture) =>
    [
        "--gpu-architecture=" + Target(architecture),
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
