namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>The functions of the CUDA driver that the engine calls, with their own signatures. The card has one implementer, <see cref="CudaDriver"/>; tests put one that fails in its place.</summary>
internal unsafe interface ICudaDriver
{
    CudaStatus GetErrorName(CudaStatus status, byte** name);
    CudaStatus GetErrorString(CudaStatus status, byte** text);
    CudaStatus DriverGetVersion(int* version);

    CudaStatus DeviceGetCount(int* count);
    CudaStatus DeviceGet(int* device, int ordinal);
    CudaStatus DeviceGetName(byte* name, int length, int device);
    CudaStatus DeviceGetAttribute(int* value, int attribute, int device);
    CudaStatus PrimaryContextRetain(nint* context, int device);
    CudaStatus PrimaryContextRelease(int device);
    CudaStatus ContextSetCurrent(nint context);

    CudaStatus MemGetInfo(nuint* free, nuint* total);
    CudaStatus MemAlloc(nint* address, nuint bytes);
    CudaStatus MemFree(nint address);
    CudaStatus MemAllocHost(nint* address, nuint bytes);
    CudaStatus MemFreeHost(nint address);
    CudaStatus MemcpyHtoDAsync(nint destination, void* source, nuint bytes, nint stream);
    CudaStatus MemcpyDtoHAsync(void* destination, nint source, nuint bytes, nint stream);
    CudaStatus MemsetD8Async(nint destination, byte value, nuint bytes, nint stream);

    CudaStatus StreamCreate(nint* stream, uint flags);
    CudaStatus StreamDestroy(nint stream);
    CudaStatus StreamSynchronize(nint stream);
    CudaStatus StreamBeginCapture(nint stream, int mode);
    CudaStatus StreamEndCapture(nint stream, nint* graph);

    CudaStatus EventCreate(nint* handle, uint flags);
    CudaStatus EventDestroy(nint handle);
    CudaStatus EventRecord(nint handle, nint stream);
    CudaStatus EventSynchronize(nint handle);
    CudaStatus EventElapsedTime(float* milliseconds, nint start, nint end);

    CudaStatus ModuleLoadData(nint* module, void* image);
    CudaStatus ModuleUnload(nint module);
    CudaStatus ModuleGetFunction(nint* function, nint module, byte* name);
    CudaStatus FunctionGetAttribute(int* value, int attribute, nint function);
    CudaStatus FunctionSetAttribute(nint function, int attribute, int value);
    CudaStatus LaunchKernel(LaunchConfig* config, nint function, void** parameters, void** extra);

    CudaStatus GraphInstantiate(nint* executable, nint graph, ulong flags);
    CudaStatus GraphLaunch(nint executable, nint stream);
    CudaStatus GraphDestroy(nint graph);
    CudaStatus GraphExecDestroy(nint executable);
}
