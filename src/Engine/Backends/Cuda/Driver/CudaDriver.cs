using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>The NVIDIA driver of this machine, by function pointers out of libcuda. Loaded once a process and never unloaded.</summary>
internal sealed unsafe class CudaDriver : ICudaDriver
{
    private static readonly Lazy<(CudaDriver? Driver, string? Reason)> Loaded = new(Load);

    private readonly delegate* unmanaged<CudaStatus, byte**, CudaStatus> _getErrorName;
    private readonly delegate* unmanaged<CudaStatus, byte**, CudaStatus> _getErrorString;
    private readonly delegate* unmanaged<int*, CudaStatus> _driverGetVersion;
    private readonly delegate* unmanaged<int*, CudaStatus> _deviceGetCount;
    private readonly delegate* unmanaged<int*, int, CudaStatus> _deviceGet;
    private readonly delegate* unmanaged<byte*, int, int, CudaStatus> _deviceGetName;
    private readonly delegate* unmanaged<int*, int, int, CudaStatus> _deviceGetAttribute;
    private readonly delegate* unmanaged<nint*, int, CudaStatus> _primaryContextRetain;
    private readonly delegate* unmanaged<int, CudaStatus> _primaryContextRelease;
    private readonly delegate* unmanaged<nint, CudaStatus> _contextSetCurrent;
    private readonly delegate* unmanaged<nuint*, nuint*, CudaStatus> _memGetInfo;
    private readonly delegate* unmanaged<nint*, nuint, CudaStatus> _memAlloc;
    private readonly delegate* unmanaged<nint, CudaStatus> _memFree;
    private readonly delegate* unmanaged<nint*, nuint, CudaStatus> _memAllocHost;
    private readonly delegate* unmanaged<nint, CudaStatus> _memFreeHost;
    private readonly delegate* unmanaged<nint, void*, nuint, nint, CudaStatus> _memcpyHtoDAsync;
    private readonly delegate* unmanaged<void*, nint, nuint, nint, CudaStatus> _memcpyDtoHAsync;
    private readonly delegate* unmanaged<nint, byte, nuint, nint, CudaStatus> _memsetD8Async;
    private readonly delegate* unmanaged<nint*, uint, CudaStatus> _streamCreate;
    private readonly delegate* unmanaged<nint, CudaStatus> _streamDestroy;
    private readonly delegate* unmanaged<nint, CudaStatus> _streamSynchronize;
    private readonly delegate* unmanaged<nint, int, CudaStatus> _streamBeginCapture;
    private readonly delegate* unmanaged<nint, nint*, CudaStatus> _streamEndCapture;
    private readonly delegate* unmanaged<nint*, uint, CudaStatus> _eventCreate;
    private readonly delegate* unmanaged<nint, CudaStatus> _eventDestroy;
    private readonly delegate* unmanaged<nint, nint, CudaStatus> _eventRecord;
    private readonly delegate* unmanaged<nint, CudaStatus> _eventSynchronize;
    private readonly delegate* unmanaged<float*, nint, nint, CudaStatus> _eventElapsedTime;
    private readonly delegate* unmanaged<nint*, void*, CudaStatus> _moduleLoadData;
    private readonly delegate* unmanaged<nint, CudaStatus> _moduleUnload;
    private readonly delegate* unmanaged<nint*, nint, byte*, CudaStatus> _moduleGetFunction;
    private readonly delegate* unmanaged<int*, int, nint, CudaStatus> _functionGetAttribute;
    private readonly delegate* unmanaged<nint, int, int, CudaStatus> _functionSetAttribute;
    private readonly delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaStatus> _launchKernel;
    private readonly delegate* unmanaged<nint*, nint, ulong, CudaStatus> _graphInstantiate;
    private readonly delegate* unmanaged<nint, nint, CudaStatus> _graphLaunch;
    private readonly delegate* unmanaged<nint, CudaStatus> _graphDestroy;
    private readonly delegate* unmanaged<nint, CudaStatus> _graphExecDestroy;

    private CudaDriver(nint library)
    {
        void* Export(string name) => (void*)NativeLibrary.GetExport(library, name);
        _getErrorName = (delegate* unmanaged<CudaStatus, byte**, CudaStatus>)Export("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<CudaStatus, byte**, CudaStatus>)Export("cuGetErrorString");
        _driverGetVersion = (delegate* unmanaged<int*, CudaStatus>)Export("cuDriverGetVersion");
        _deviceGetCount = (delegate* unmanaged<int*, CudaStatus>)Export("cuDeviceGetCount");
        _deviceGet = (delegate* unmanaged<int*, int, CudaStatus>)Export("cuDeviceGet");
        _deviceGetName = (delegate* unmanaged<byte*, int, int, CudaStatus>)Export("cuDeviceGetName");
        _deviceGetAttribute = (delegate* unmanaged<int*, int, int, CudaStatus>)Export("cuDeviceGetAttribute");
        _primaryContextRetain = (delegate* unmanaged<nint*, int, CudaStatus>)Export("cuDevicePrimaryCtxRetain");
        _primaryContextRelease = (delegate* unmanaged<int, CudaStatus>)Export("cuDevicePrimaryCtxRelease_v2");
        _contextSetCurrent = (delegate* unmanaged<nint, CudaStatus>)Export("cuCtxSetCurrent");
        _memGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaStatus>)Export("cuMemGetInfo_v2");
        _memAlloc = (delegate* unmanaged<nint*, nuint, CudaStatus>)Export("cuMemAlloc_v2");
        _memFree = (delegate* unmanaged<nint, CudaStatus>)Export("cuMemFree_v2");
        _memAllocHost = (delegate* unmanaged<nint*, nuint, CudaStatus>)Export("cuMemAllocHost_v2");
        _memFreeHost = (delegate* unmanaged<nint, CudaStatus>)Export("cuMemFreeHost");
        _memcpyHtoDAsync = (delegate* unmanaged<nint, void*, nuint, nint, CudaStatus>)Export("cuMemcpyHtoDAsync_v2");
        _memcpyDtoHAsync = (delegate* unmanaged<void*, nint, nuint, nint, CudaStatus>)Export("cuMemcpyDtoHAsync_v2");
        _memsetD8Async = (delegate* unmanaged<nint, byte, nuint, nint, CudaStatus>)Export("cuMemsetD8Async");
        _streamCreate = (delegate* unmanaged<nint*, uint, CudaStatus>)Export("cuStreamCreate");
        _streamDestroy = (delegate* unmanaged<nint, CudaStatus>)Export("cuStreamDestroy_v2");
        _streamSynchronize = (delegate* unmanaged<nint, CudaStatus>)Export("cuStreamSynchronize");
        _streamBeginCapture = (delegate* unmanaged<nint, int, CudaStatus>)Export("cuStreamBeginCapture_v2");
        _streamEndCapture = (delegate* unmanaged<nint, nint*, CudaStatus>)Export("cuStreamEndCapture");
        _eventCreate = (delegate* unmanaged<nint*, uint, CudaStatus>)Export("cuEventCreate");
        _eventDestroy = (delegate* unmanaged<nint, CudaStatus>)Export("cuEventDestroy_v2");
        _eventRecord = (delegate* unmanaged<nint, nint, CudaStatus>)Export("cuEventRecord");
        _eventSynchronize = (delegate* unmanaged<nint, CudaStatus>)Export("cuEventSynchronize");
        _eventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaStatus>)Export("cuEventElapsedTime");
        _moduleLoadData = (delegate* unmanaged<nint*, void*, CudaStatus>)Export("cuModuleLoadData");
        _moduleUnload = (delegate* unmanaged<nint, CudaStatus>)Export("cuModuleUnload");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaStatus>)Export("cuModuleGetFunction");
        _functionGetAttribute = (delegate* unmanaged<int*, int, nint, CudaStatus>)Export("cuFuncGetAttribute");
        _functionSetAttribute = (delegate* unmanaged<nint, int, int, CudaStatus>)Export("cuFuncSetAttribute");
        _launchKernel = (delegate* unmanaged<LaunchConfig*, nint, void**, void**, CudaStatus>)Export("cuLaunchKernelEx");
        _graphInstantiate = (delegate* unmanaged<nint*, nint, ulong, CudaStatus>)Export("cuGraphInstantiateWithFlags");
        _graphLaunch = (delegate* unmanaged<nint, nint, CudaStatus>)Export("cuGraphLaunch");
        _graphDestroy = (delegate* unmanaged<nint, CudaStatus>)Export("cuGraphDestroy");
        _graphExecDestroy = (delegate* unmanaged<nint, CudaStatus>)Export("cuGraphExecDestroy");
    }

    /// <summary>The driver, or null and one sentence that says what is missing and how to get it.</summary>
    public static CudaDriver? Find(out string? reason)
    {
        (var driver, reason) = Loaded.Value;
        return driver;
    }

    public CudaStatus GetErrorName(CudaStatus status, byte** name) => _getErrorName(status, name);
    public CudaStatus GetErrorString(CudaStatus status, byte** text) => _getErrorString(status, text);
    public CudaStatus DriverGetVersion(int* version) => _driverGetVersion(version);
    public CudaStatus DeviceGetCount(int* count) => _deviceGetCount(count);
    public CudaStatus DeviceGet(int* device, int ordinal) => _deviceGet(device, ordinal);
    public CudaStatus DeviceGetName(byte* name, int length, int device) => _deviceGetName(name, length, device);
    public CudaStatus DeviceGetAttribute(int* value, int attribute, int device) => _deviceGetAttribute(value, attribute, device);
    public CudaStatus PrimaryContextRetain(nint* context, int device) => _primaryContextRetain(context, device);
    public CudaStatus PrimaryContextRelease(int device) => _primaryContextRelease(device);
    public CudaStatus ContextSetCurrent(nint context) => _contextSetCurrent(context);
    public CudaStatus MemGetInfo(nuint* free, nuint* total) => _memGetInfo(free, total);
    public CudaStatus MemAlloc(nint* address, nuint bytes) => _memAlloc(address, bytes);
    public CudaStatus MemFree(nint address) => _memFree(address);
    public CudaStatus MemAllocHost(nint* address, nuint bytes) => _memAllocHost(address, bytes);
    public CudaStatus MemFreeHost(nint address) => _memFreeHost(address);
    public CudaStatus MemcpyHtoDAsync(nint destination, void* source, nuint bytes, nint stream) => _memcpyHtoDAsync(destination, source, bytes, stream);
    public CudaStatus MemcpyDtoHAsync(void* destination, nint source, nuint bytes, nint stream) => _memcpyDtoHAsync(destination, source, bytes, stream);
    public CudaStatus MemsetD8Async(nint destination, byte value, nuint bytes, nint stream) => _memsetD8Async(destination, value, bytes, stream);
    public CudaStatus StreamCreate(nint* stream, uint flags) => _streamCreate(stream, flags);
    public CudaStatus StreamDestroy(nint stream) => _streamDestroy(stream);
    public CudaStatus StreamSynchronize(nint stream) => _streamSynchronize(stream);
    public CudaStatus StreamBeginCapture(nint stream, int mode) => _streamBeginCapture(stream, mode);
    public CudaStatus StreamEndCapture(nint stream, nint* graph) => _streamEndCapture(stream, graph);
    public CudaStatus EventCreate(nint* handle, uint flags) => _eventCreate(handle, flags);
    public CudaStatus EventDestroy(nint handle) => _eventDestroy(handle);
    public CudaStatus EventRecord(nint handle, nint stream) => _eventRecord(handle, stream);
    public CudaStatus EventSynchronize(nint handle) => _eventSynchronize(handle);
    public CudaStatus EventElapsedTime(float* milliseconds, nint start, nint end) => _eventElapsedTime(milliseconds, start, end);
    public CudaStatus ModuleLoadData(nint* module, void* image) => _moduleLoadData(module, image);
    public CudaStatus ModuleUnload(nint module) => _moduleUnload(module);
    public CudaStatus ModuleGetFunction(nint* function, nint module, byte* name) => _moduleGetFunction(function, module, name);
    public CudaStatus FunctionGetAttribute(int* value, int attribute, nint function) => _functionGetAttribute(value, attribute, function);
    public CudaStatus FunctionSetAttribute(nint function, int attribute, int value) => _functionSetAttribute(function, attribute, value);
    public CudaStatus LaunchKernel(LaunchConfig* config, nint function, void** parameters, void** extra) => _launchKernel(config, function, parameters, extra);
    public CudaStatus GraphInstantiate(nint* executable, nint graph, ulong flags) => _graphInstantiate(executable, graph, flags);
    public CudaStatus GraphLaunch(nint executable, nint stream) => _graphLaunch(executable, stream);
    public CudaStatus GraphDestroy(nint graph) => _graphDestroy(graph);
    public CudaStatus GraphExecDestroy(nint executable) => _graphExecDestroy(executable);

    private static (CudaDriver? Driver, string? Reason) Load()
    {
        var library = NativeSearch.Find(OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1"], userPath: null, out var looked);
        if (library == 0)
        {
            return (null, $"No NVIDIA driver was found (looked in {looked}); install it from https://www.nvidia.com/drivers or your distribution. Nothing else is needed.");
        }

        try
        {
            var initialise = (delegate* unmanaged<uint, CudaStatus>)NativeLibrary.GetExport(library, "cuInit");
            var status = initialise(0);
            var driver = new CudaDriver(library);
            return status == CudaStatus.Success ? (driver, null) : (null, CudaErrors.Of(driver, status, "the driver was started").Message);
        }
        catch (EntryPointNotFoundException e)
        {
            return (null, $"The NVIDIA driver is older than CUDA 12: {e.Message}");
        }
    }
}
