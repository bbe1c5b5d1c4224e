using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>Something of a context that must be given back once; it keeps its context alive until then.</summary>
internal abstract class CudaHandle : SafeHandle
{
    private protected CudaHandle(CudaContext context, nint value) : base(0, ownsHandle: true)
    {
        var added = false;
        context.DangerousAddRef(ref added);
        Context = context;
        SetHandle(value);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The driver's own handle or address.</summary>
    public nint Value => IsClosed ? throw new ObjectDisposedException(GetType().Name) : handle;

    private protected CudaContext Context { get; }

    private protected abstract CudaStatus Free(ICudaDriver driver, nint value);

    protected sealed override bool ReleaseHandle()
    {
        // On the finalizer's thread no context is current.
        Context.Driver.ContextSetCurrent(Context.Value);
        var status = Free(Context.Driver, handle);
        Context.DangerousRelease();
        return status == CudaStatus.Success;
    }
}

/// <summary>Memory of the card.</summary>
internal sealed class DeviceMemory : CudaHandle
{
    private DeviceMemory(CudaContext context, nint value) : base(context, value)
    {
    }

    /// <param name="context">Where.</param>
    /// <param name="bytes">At least one.</param>
    /// <param name="what">Whose memory, for the error.</param>
    /// <exception cref="DeviceOutOfMemoryException">With the figures.</exception>
    public static unsafe DeviceMemory Allocate(CudaContext context, long bytes, string what)
    {
        nint address;
        context.MakeCurrent();
        var status = context.Driver.MemAlloc(&address, checked((nuint)bytes));
        if (status == CudaStatus.OutOfMemory)
        {
            var free = context.FreeBytes();
            throw new DeviceOutOfMemoryException(FormattableString.Invariant($"{context.Name} has no {bytes} bytes left for {what}: {free} of {context.TotalBytes} are free."), bytes, free);
        }

        context.Driver.Check(status, FormattableString.Invariant($"{bytes} bytes were allocated for {what}"));
        return new DeviceMemory(context, address);
    }

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.MemFree(value);
}

/// <summary>Host memory that the card copies from and to without a detour.</summary>
internal sealed class PinnedMemory : CudaHandle
{
    private PinnedMemory(CudaContext context, nint value, long bytes) : base(context, value) => Bytes = bytes;

    public long Bytes { get; }

    public static unsafe PinnedMemory Allocate(CudaContext context, long bytes)
    {
        nint address;
        context.MakeCurrent();
        context.Check(context.Driver.MemAllocHost(&address, checked((nuint)bytes)), "pinned host memory was allocated");
        return new PinnedMemory(context, address, bytes);
    }

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.MemFreeHost(value);
}

/// <summary>A queue of work for the card.</summary>
internal sealed class CudaStream : CudaHandle
{
    private CudaStream(CudaContext context, nint value) : base(context, value)
    {
    }

    public static unsafe CudaStream Create(CudaContext context)
    {
        nint stream;
        context.MakeCurrent();
        context.Check(context.Driver.StreamCreate(&stream, 1), "a stream was created");    // 1: does not wait for the legacy stream
        return new CudaStream(context, stream);
    }

    public void Synchronize() => Context.Check(Context.Driver.StreamSynchronize(Value), "the card was waited for");

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.StreamDestroy(value);
}

/// <summary>A mark in a stream.</summary>
internal sealed class CudaEvent : CudaHandle
{
    private CudaEvent(CudaContext context, nint value) : base(context, value)
    {
    }

    /// <param name="context">Where.</param>
    /// <param name="timing">Whether it takes the time.</param>
    public static unsafe CudaEvent Create(CudaContext context, bool timing = false)
    {
        nint value;
        context.MakeCurrent();
        context.Check(context.Driver.EventCreate(&value, timing ? 0u : 2u), "an event was created");
        return new CudaEvent(context, value);
    }

    public void Record(CudaStream stream) => Context.Check(Context.Driver.EventRecord(Value, stream.Value), "an event was recorded");

    public void Synchronize() => Context.Check(Context.Driver.EventSynchronize(Value), "the card was waited for");

    /// <summary>Milliseconds from <paramref name="start"/> to this event; both must have passed.</summary>
    public unsafe float MillisecondsSince(CudaEvent start)
    {
        float milliseconds;
        Context.Check(Context.Driver.EventElapsedTime(&milliseconds, start.Value, Value), "two events were compared");
        return milliseconds;
    }

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.EventDestroy(value);
}

/// <summary>Compiled code on the card.</summary>
internal sealed class CudaModule : CudaHandle
{
    private CudaModule(CudaContext context, nint value) : base(context, value)
    {
    }

    public static unsafe CudaModule Load(CudaContext context, ReadOnlySpan<byte> image, string name)
    {
        nint module;
        context.MakeCurrent();
        fixed (byte* data = image)
        {
            context.Check(context.Driver.ModuleLoadData(&module, data), $"the kernel '{name}' was loaded");
        }

        return new CudaModule(context, module);
    }

    public unsafe nint Function(string name)
    {
        nint function;
        fixed (byte* utf8 = System.Text.Encoding.UTF8.GetBytes(name + "\0"))
        {
            Context.Check(Context.Driver.ModuleGetFunction(&function, Value, utf8), $"the kernel '{name}' was looked up");
        }

        return function;
    }

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.ModuleUnload(value);
}

/// <summary>Launches that were recorded once and are repeated at the cost of one.</summary>
internal sealed class CudaGraph : CudaHandle
{
    private CudaGraph(CudaContext context, nint value) : base(context, value)
    {
    }

    /// <summary>Records what <paramref name="launch"/> puts into the stream; none of it runs.</summary>
    public static unsafe CudaGraph Record(CudaContext context, CudaStream stream, Action launch)
    {
        context.MakeCurrent();
        context.Check(context.Driver.StreamBeginCapture(stream.Value, 2), "a step was recorded");    // 2: relaxed, other threads may go on
        nint graph = 0;
        CudaStatus status;
        try
        {
            launch();
        }
        catch
        {
            // The stream must not stay in recording, whatever was recorded.
            if (context.Driver.StreamEndCapture(stream.Value, &graph) == CudaStatus.Success && graph != 0)
            {
                context.Driver.GraphDestroy(graph);
            }

            throw;
        }

        status = context.Driver.StreamEndCapture(stream.Value, &graph);
        context.Check(status, "a step was recorded");
        nint executable;
        status = context.Driver.GraphInstantiate(&executable, graph, 0);
        context.Driver.GraphDestroy(graph);
        context.Check(status, "a recorded step was made ready");
        return new CudaGraph(context, executable);
    }

    public void Launch(CudaStream stream) => Context.Check(Context.Driver.GraphLaunch(Value, stream.Value), "a recorded step was started");

    private protected override CudaStatus Free(ICudaDriver driver, nint value) => driver.GraphExecDestroy(value);
}
