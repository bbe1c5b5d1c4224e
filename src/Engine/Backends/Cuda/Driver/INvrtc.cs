namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>The functions of NVRTC that the engine calls, with their own signatures; 0 is success.</summary>
internal unsafe interface INvrtc
{
    int Version(int* major, int* minor);
    int CreateProgram(nint* program, byte* source, byte* name, int headerCount, byte** headers, byte** includeNames);
    int DestroyProgram(nint* program);
    int CompileProgram(nint program, int optionCount, byte** options);
    int GetCubinSize(nint program, nuint* size);
    int GetCubin(nint program, byte* cubin);
    int GetPtxSize(nint program, nuint* size);
    int GetPtx(nint program, byte* ptx);
    int GetLogSize(nint program, nuint* size);
    int GetLog(nint program, byte* log);
}
