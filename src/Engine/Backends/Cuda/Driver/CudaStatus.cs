namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>Results of the driver that the engine tells apart; all others are faults like <see cref="IllegalAddress"/>.</summary>
internal enum CudaStatus
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    NoBinaryForGpu = 209,
    UnsupportedPtxVersion = 222,
    NotFound = 500,
    IllegalAddress = 700,
    GraphExecUpdateFailure = 910,
}

/// <summary>Results as typed errors.</summary>
internal static unsafe class CudaErrors
{
    /// <summary>Nothing after a success; else a <see cref="DeviceException"/> with the driver's own name and text for it.</summary>
    /// <param name="driver">Knows the text.</param>
    /// <param name="status">What the call returned.</param>
    /// <param name="doing">What was being done, to follow "while".</param>
    public static void Check(this ICudaDriver driver, CudaStatus status, string doing)
    {
        if (status != CudaStatus.Success)
        {
            throw Of(driver, status, doing);
        }
    }

    public static DeviceException Of(ICudaDriver driver, CudaStatus status, string doing)
    {
        var message = FormattableString.Invariant($"CUDA error {(int)status} ({driver.Describe(status)}) while {doing}.");
        if (status == CudaStatus.OutOfMemory)
        {
            nuint free, total;
            return new DeviceOutOfMemoryException(message, requiredBytes: 0, driver.MemGetInfo(&free, &total) == CudaStatus.Success ? (long)free : 0);
        }

        if (status == CudaStatus.UnsupportedPtxVersion)
        {
            return new DeviceException(DeviceException.Unavailable, message + " The driver is older than the kernels that come with the package: a newer driver helps, or NVRTC of its own age.");
        }

        var code = status switch
        {
            CudaStatus.NoDevice or CudaStatus.InvalidDevice or CudaStatus.NotInitialized => DeviceException.Unavailable,
            _ => DeviceException.Fault,
        };
        return new DeviceException(code, message);
    }

    private static string Describe(this ICudaDriver driver, CudaStatus status)
    {
        byte* name = null, text = null;
        var known = driver.GetErrorName(status, &name) == CudaStatus.Success && driver.GetErrorString(status, &text) == CudaStatus.Success;
        return known && name != null && text != null ? $"{Text(name)}: {Text(text)}" : "unknown to this driver";
    }

    private static string Text(byte* text) => System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)text) ?? "";
}
