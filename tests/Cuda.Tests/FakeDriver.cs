using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Tests.Cuda;

/// <summary>A driver and a compiler without a card: memory is host memory, kernels do nothing, and the n-th call fails. It knows what is alive and what was given back twice.</summary>
internal sealed unsafe class FakeDriver : ICudaDriver, INvrtc, ICublasLt
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Kind, nint Value), long> _alive = [];
    private readonly List<string> _wrongs = [];
    private nint _next = 0x1000;
    private int _calls;

    /// <summary>The call, from 1, that fails; 0: none.</summary>
    public int FailAt { get; init; }

    public CudaStatus FailWith { get; init; } = CudaStatus.IllegalAddress;

    /// <summary>After the first failure everything fails, as after an illegal access.</summary>
    public bool Sticky { get; init; }

    /// <summary>Bytes of the card.</summary>
    public long Memory { get; init; } = 128 << 20;

    public int Calls => Volatile.Read(ref _calls);
    public long Used => Locked(() => _alive.Where(a => a.Key.Kind == "memory").Sum(a => a.Value));

    /// <summary>What was done wrong: freed twice, used after it was freed, never freed.</summary>
    public List<string> Wrongs => Locked(() => (List<string>)[.. _wrongs, .. _alive.Keys.Select(k => $"{k.Kind} never given back")]);

    public CudaStatus GetErrorName(CudaStatus status, byte** name) => Text("CUDA_ERROR_OF_THE_TEST\0"u8, name);
    public CudaStatus GetErrorString(CudaStatus status, byte** text) => Text("made up\0"u8, text);
    public CudaStatus DriverGetVersion(int* version) => Call(() => *version = 13000);
    public CudaStatus DeviceGetCount(int* count) => Call(() => *count = 1);
    public CudaStatus DeviceGet(int* device, int ordinal) => Call(() => *device = ordinal);
    public CudaStatus DeviceGetName(byte* name, int length, int device) => Call(() => "Fake\0"u8.CopyTo(new Span<byte>(name, length)));
    public CudaStatus DeviceGetAttribute(int* value, int attribute, int device) => Call(() => *value = attribute switch { 75 => 9, 76 => 0, 97 => 232_448, _ => 132 });
    public CudaStatus PrimaryContextRetain(nint* context, int device) => Make("context", context);
    public CudaStatus PrimaryContextRelease(int device) => Call(() => Gone("context", Locked(() => _alive.Keys.First(k => k.Kind == "context").Value)), always: true);
    public CudaStatus ContextSetCurrent(nint context) => Call(() => Alive("context", context));

    public CudaStatus MemGetInfo(nuint* free, nuint* total) => Call(() => (*free, *total) = ((nuint)(Memory - Used), (nuint)Memory));
    public CudaStatus MemAlloc(nint* address, nuint bytes) => Used + (long)bytes > Memory ? CudaStatus.OutOfMemory : Take("memory", address, bytes);
    public CudaStatus MemFree(nint address) => GiveBack("memory", address);
    public CudaStatus MemAllocHost(nint* address, nuint bytes) => Take("pinned", address, bytes);
    public CudaStatus MemFreeHost(nint address) => GiveBack("pinned", address);
    public CudaStatus MemcpyHtoDAsync(nint destination, void* source, nuint bytes, nint stream) => Call(() => NativeMemory.Copy(source, (void*)destination, bytes));
    public CudaStatus MemcpyDtoHAsync(void* destination, nint source, nuint bytes, nint stream) => Call(() => NativeMemory.Copy((void*)source, destination, bytes));
    public CudaStatus MemsetD8Async(nint destination, byte value, nuint bytes, nint stream) => Call(() => NativeMemory.Fill((void*)destination, bytes, value));

    public CudaStatus StreamCreate(nint* stream, uint flags) => Make("stream", stream);
    public CudaStatus StreamDestroy(nint stream) => Destroy("stream", stream);
    public CudaStatus StreamSynchronize(nint stream) => Call(() => Alive("stream", stream));
    public CudaStatus StreamBeginCapture(nint stream, int mode) => Call(() => Alive("stream", stream));
    public CudaStatus StreamEndCapture(nint stream, nint* graph) => Make("graph", graph);
    public CudaStatus EventCreate(nint* handle, uint flags) => Make("event", handle);
    public CudaStatus EventDestroy(nint handle) => Destroy("event", handle);
    public CudaStatus EventRecord(nint handle, nint stream) => Call(() => Alive("event", handle));
    public CudaStatus EventSynchronize(nint handle) => Call(() => Alive("event", handle));
    public CudaStatus EventElapsedTime(float* milliseconds, nint start, nint end) => Call(() => *milliseconds = 1);
    public CudaStatus ModuleLoadData(nint* module, void* image) => Make("module", module);
    public CudaStatus ModuleUnload(nint module) => Destroy("module", module);
    public CudaStatus ModuleGetFunction(nint* function, nint module, byte* name) => Call(() => { Alive("module", module); *function = module; });
    public CudaStatus FunctionGetAttribute(int* value, int attribute, nint function) => Call(() => *value = 32);
    public CudaStatus FunctionSetAttribute(nint function, int attribute, int value) => Call(() => Alive("module", function));
    public CudaStatus LaunchKernel(LaunchConfig* config, nint function, void** parameters, void** extra) => Call(() => { Alive("module", function); Alive("stream", config->Stream); });
    public CudaStatus GraphInstantiate(nint* executable, nint graph, ulong flags) => Make("executable graph", executable);
    public CudaStatus GraphLaunch(nint executable, nint stream) => Call(() => Alive("executable graph", executable));
    public CudaStatus GraphDestroy(nint graph) => Destroy("graph", graph);
    public CudaStatus GraphExecDestroy(nint executable) => Destroy("executable graph", executable);

    int INvrtc.Version(int* major, int* minor) => (int)Call(() => (*major, *minor) = (13, 0));
    int INvrtc.CreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames) => (int)Make("program", program);
    int INvrtc.DestroyProgram(nint* program) => (int)Destroy("program", *program);
    int INvrtc.CompileProgram(nint program, int optionCount, byte** options) => (int)Call(() => Alive("program", program));
    int INvrtc.GetCubinSize(nint program, nuint* size) => (int)Call(() => *size = 4);
    int INvrtc.GetCubin(nint program, byte* cubin) => (int)Call(() => *cubin = 1);
    int INvrtc.GetPtxSize(nint program, nuint* size) => (int)Call(() => *size = 1);
    int INvrtc.GetPtx(nint program, byte* ptx) => (int)Call(() => *ptx = 0);
    int INvrtc.GetLogSize(nint program, nuint* size) => (int)Call(() => *size = 3);
    int INvrtc.GetLog(nint program, byte* log) => (int)Call(() => "no\0"u8.CopyTo(new Span<byte>(log, 3)));

    int ICublasLt.Create(nint* handle) => Lt(() => *handle = New("cuBLASLt", Locked(() => _next += 16), 0));
    int ICublasLt.Destroy(nint handle) => Lt(() => Gone("cuBLASLt", handle), always: true);
    int ICublasLt.MatmulDescCreate(nint* description, int computeType, int scaleType) => Lt(() => *description = New("description", Locked(() => _next += 16), 0));
    int ICublasLt.MatmulDescSetAttribute(nint description, int attribute, void* value, nuint size) => Lt(() => Alive("description", description));
    int ICublasLt.MatmulDescDestroy(nint description) => Lt(() => Gone("description", description), always: true);
    int ICublasLt.LayoutCreate(nint* layout, int type, ulong rows, ulong columns, long stride) => Lt(() => *layout = New("layout", Locked(() => _next += 16), 0));
    int ICublasLt.LayoutDestroy(nint layout) => Lt(() => Gone("layout", layout), always: true);
    int ICublasLt.PreferenceCreate(nint* preference) => Lt(() => *preference = New("preference", Locked(() => _next += 16), 0));
    int ICublasLt.PreferenceSetAttribute(nint preference, int attribute, void* value, nuint size) => Lt(() => Alive("preference", preference));
    int ICublasLt.PreferenceDestroy(nint preference) => Lt(() => Gone("preference", preference), always: true);
    int ICublasLt.Heuristic(nint handle, nint description, nint a, nint b, nint c, nint d, nint preference, int wanted, CublasLtChoice* choices, int* found) => Lt(() => *found = 1);
    int ICublasLt.Matmul(nint handle, nint description, float* alpha, nint a, nint aLayout, nint b, nint bLayout, float* beta, nint c, nint cLayout, nint d, nint dLayout, CublasLtAlgorithm* algorithm, nint workspace, nuint workspaceBytes, nint stream) => Lt(() => { Alive("memory", workspace); Alive("layout", dLayout); Alive("stream", stream); });

    /// <summary>cuBLASLt's own number for a lack of memory is 3.</summary>
    private int Lt(Action action, bool always = false) => Call(action, always) switch { CudaStatus.Success => 0, CudaStatus.OutOfMemory => 3, var other => (int)other };

    private static CudaStatus Text(ReadOnlySpan<byte> literal, byte** text)
    {
        *text = (byte*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(literal));    // literals do not move
        return CudaStatus.Success;
    }

    /// <param name="action">What the call does.</param>
    /// <param name="always">Also where it reports a failure: what is given back is given back.</param>
    private CudaStatus Call(Action action, bool always = false)
    {
        var call = Interlocked.Increment(ref _calls);
        var fails = FailAt > 0 && (Sticky ? call >= FailAt : call == FailAt);
        if (!fails || always)
        {
            action();
        }

        return fails ? FailWith : CudaStatus.Success;
    }

    private CudaStatus Make(string kind, nint* value) => Call(() => *value = New(kind, Locked(() => _next += 16), 0));
    private CudaStatus Destroy(string kind, nint value) => Call(() => Gone(kind, value), always: true);
    private CudaStatus Take(string kind, nint* address, nuint bytes) => Call(() => *address = New(kind, (nint)NativeMemory.AllocZeroed(bytes), (long)bytes));

    private CudaStatus GiveBack(string kind, nint address) => Call(() =>
    {
        if (Gone(kind, address))
        {
            NativeMemory.Free((void*)address);
        }
    }, always: true);

    private nint New(string kind, nint value, long bytes)
    {
        lock (_gate)
        {
            _alive.Add((kind, value), bytes);
            return value;
        }
    }

    private bool Gone(string kind, nint value)
    {
        lock (_gate)
        {
            if (_alive.Remove((kind, value)))
            {
                return true;
            }

            _wrongs.Add($"{kind} given back twice");
            return false;
        }
    }

    private void Alive(string kind, nint value)
    {
        lock (_gate)
        {
            if (!_alive.ContainsKey((kind, value)))
            {
                _wrongs.Add($"{kind} used after it was given back");
            }
        }
    }

    private T Locked<T>(Func<T> read)
    {
        lock (_gate)
        {
            return read();
        }
    }
}
