using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>A card and its primary context, which all CUDA code of the process shares. What is made in it keeps it alive.</summary>
internal sealed unsafe class CudaContext : SafeHandle
{
    private readonly int _device;

    private CudaContext(ICudaDriver driver, int device, nint context) : base(0, ownsHandle: true)
    {
        (Driver, _device) = (driver, device);
        SetHandle(context);
    }

    public ICudaDriver Driver { get; }
    public nint Value => handle;
    public required string Name { get; init; }

    /// <summary>Compute capability times ten: 80, 90.</summary>
    public required int Architecture { get; init; }
    public required int Multiprocessors { get; init; }

    /// <summary>Shared memory that one block may ask for.</summary>
    public required int SharedBytes { get; init; }
    public required int L2Bytes { get; init; }

    /// <summary>Whether kernels that wait for their predecessors themselves are started before those have ended.</summary>
    public bool Overlaps { get; set; }

    /// <summary>Memory of the card.</summary>
    public long TotalBytes { get; private set; }

    public override bool IsInvalid => handle == 0;

    /// <exception cref="DeviceException">Unavailable: there is no such card, or it is too old.</exception>
    public static CudaContext Open(ICudaDriver driver, int ordinal)
    {
        int count, device;
        driver.Check(driver.DeviceGetCount(&count), "cards were counted");
        if (ordinal < 0 || ordinal >= count)
        {
            throw new DeviceException(DeviceException.Unavailable, FormattableString.Invariant($"There is no CUDA device {ordinal}; this machine has {count}."));
        }

        driver.Check(driver.DeviceGet(&device, ordinal), "the card was opened");
        var name = stackalloc byte[256];
        driver.Check(driver.DeviceGetName(name, 256, device), "the card was asked for its name");
        var text = Marshal.PtrToStringUTF8((nint)name) ?? "";
        var architecture = (10 * Attribute(driver, device, CudaAttribute.ComputeMajor)) + Attribute(driver, device, CudaAttribute.ComputeMinor);
        if (architecture < 80)
        {
            throw new DeviceException(DeviceException.Unavailable, FormattableString.Invariant($"{text} has compute capability {architecture / 10}.{architecture % 10}; 8.0 (Ampere) is the least."));
        }

        int multiprocessors = Attribute(driver, device, CudaAttribute.Multiprocessors), shared = Attribute(driver, device, CudaAttribute.SharedPerBlockOptin), l2 = Attribute(driver, device, CudaAttribute.L2Bytes);
        nint context;
        driver.Check(driver.PrimaryContextRetain(&context, device), "the card's context was opened");
        var opened = new CudaContext(driver, device, context) { Name = text, Architecture = architecture, Multiprocessors = multiprocessors, SharedBytes = shared, L2Bytes = l2, Overlaps = architecture >= 90 };
        try
        {
            opened.MakeCurrent();
            nuint free, total;
            opened.Check(driver.MemGetInfo(&free, &total), "free memory was asked for");
            opened.TotalBytes = (long)total;
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>For this thread. Cheap; called where a thread may be new.</summary>
    public void MakeCurrent() => Check(Driver.ContextSetCurrent(handle), "the card's context was entered");

    /// <summary>Bytes of the card that nobody holds; 0 where the card does not say.</summary>
    public long FreeBytes()
    {
        nuint free, total;
        return Driver.MemGetInfo(&free, &total) == CudaStatus.Success ? (long)free : 0;
    }

    /// <summary>The same from a thread that may be new.</summary>
    public long CurrentFreeBytes() => Driver.ContextSetCurrent(handle) == CudaStatus.Success ? FreeBytes() : 0;

    public void Check(CudaStatus status, string doing)
    {
        if (status != CudaStatus.Success)
        {
            Driver.Check(status, $"{doing} on {Name}");
        }
    }

    private static int Attribute(ICudaDriver driver, int device, int attribute)
    {
        int value;
        driver.Check(driver.DeviceGetAttribute(&value, attribute, device), "the card was asked for its properties");
        return value;
    }

    protected override bool ReleaseHandle() => Driver.PrimaryContextRelease(_device) == CudaStatus.Success;
}
