namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>The functions of cuBLASLt that the engine calls, with their own signatures; 0 is success.</summary>
internal unsafe interface ICublasLt
{
    int Create(nint* handle);
    int Destroy(nint handle);
    int MatmulDescCreate(nint* description, int computeType, int scaleType);
    int MatmulDescSetAttribute(nint description, int attribute, void* value, nuint size);
    int MatmulDescDestroy(nint description);
    int LayoutCreate(nint* layout, int type, ulong rows, ulong columns, long stride);
    int LayoutDestroy(nint layout);
    int PreferenceCreate(nint* preference);
    int PreferenceSetAttribute(nint preference, int attribute, void* value, nuint size);
    int PreferenceDestroy(nint preference);
    int Heuristic(nint handle, nint description, nint a, nint b, nint c, nint d, nint preference, int wanted, CublasLtChoice* choices, int* found);
    int Matmul(nint handle, nint description, float* alpha, nint a, nint aLayout, nint b, nint bLayout, float* beta, nint c, nint cLayout, nint d, nint dLayout, CublasLtAlgorithm* algorithm, nint workspace, nuint workspaceBytes, nint stream);
}

/// <summary>cublasLtMatmulAlgo_t.</summary>
[System.Runtime.CompilerServices.InlineArray(8)]
internal struct CublasLtAlgorithm
{
    private ulong _first;
}

/// <summary>cublasLtMatmulHeuristicResult_t.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
internal struct CublasLtChoice
{
    public CublasLtAlgorithm Algorithm;
    public nuint WorkspaceBytes;
    public int State;
    public float Waves;
    private readonly long _reserved0;
    private readonly long _reserved1;
}
