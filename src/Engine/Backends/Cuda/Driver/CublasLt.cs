using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>NVIDIA's matrix products, by function pointers out of libcublasLt where it is installed. Loaded once a process and never unloaded.</summary>
internal sealed unsafe class CublasLt : ICublasLt
{
    /// <summary>Set to "off", it is not looked for, and the engine's own kernels compute: to see what it is worth.</summary>
    public const string Switch = "KVPREFETCH_CUBLASLT";

    private static readonly Lazy<CublasLt?> Loaded = new(Load);

    private readonly delegate* unmanaged<nint*, int> _create;
    private readonly delegate* unmanaged<nint, int> _destroy;
    private readonly delegate* unmanaged<nint*, int, int, int> _matmulDescCreate;
    private readonly delegate* unmanaged<nint, int, void*, nuint, int> _matmulDescSetAttribute;
    private readonly delegate* unmanaged<nint, int> _matmulDescDestroy;
    private readonly delegate* unmanaged<nint*, int, ulong, ulong, long, int> _layoutCreate;
    private readonly delegate* unmanaged<nint, int> _layoutDestroy;
    private readonly delegate* unmanaged<nint*, int> _preferenceCreate;
    private readonly delegate* unmanaged<nint, int, void*, nuint, int> _preferenceSetAttribute;
    private readonly delegate* unmanaged<nint, int> _preferenceDestroy;
    private readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, CublasLtChoice*, int*, int> _heuristic;
    private readonly delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, float*, nint, nint, nint, nint, CublasLtAlgorithm*, nint, nuint, nint, int> _matmul;

    private CublasLt(nint library)
    {
        void* Export(string name) => (void*)NativeLibrary.GetExport(library, name);
        _create = (delegate* unmanaged<nint*, int>)Export("cublasLtCreate");
        _destroy = (delegate* unmanaged<nint, int>)Export("cublasLtDestroy");
        _matmulDescCreate = (delegate* unmanaged<nint*, int, int, int>)Export("cublasLtMatmulDescCreate");
        _matmulDescSetAttribute = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulDescSetAttribute");
        _matmulDescDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulDescDestroy");
        _layoutCreate = (delegate* unmanaged<nint*, int, ulong, ulong, long, int>)Export("cublasLtMatrixLayoutCreate");
        _layoutDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatrixLayoutDestroy");
        _preferenceCreate = (delegate* unmanaged<nint*, int>)Export("cublasLtMatmulPreferenceCreate");
        _preferenceSetAttribute = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulPreferenceSetAttribute");
        _preferenceDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulPreferenceDestroy");
        _heuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, CublasLtChoice*, int*, int>)Export("cublasLtMatmulAlgoGetHeuristic");
        _matmul = (delegate* unmanaged<nint, nint, float*, nint, nint, nint, nint, float*, nint, nint, nint, nint, CublasLtAlgorithm*, nint, nuint, nint, int>)Export("cublasLtMatmul");
    }

    /// <summary>The library, or null where there is none: nothing needs it.</summary>
    public static CublasLt? Find() => Loaded.Value;

    public int Create(nint* handle) => _create(handle);
    public int Destroy(nint handle) => _destroy(handle);
    public int MatmulDescCreate(nint* description, int computeType, int scaleType) => _matmulDescCreate(description, computeType, scaleType);
    public int MatmulDescSetAttribute(nint description, int attribute, void* value, nuint size) => _matmulDescSetAttribute(description, attribute, value, size);
    public int MatmulDescDestroy(nint description) => _matmulDescDestroy(description);
    public int LayoutCreate(nint* layout, int type, ulong rows, ulong columns, long stride) => _layoutCreate(layout, type, rows, columns, stride);
    public int LayoutDestroy(nint layout) => _layoutDestroy(layout);
    public int PreferenceCreate(nint* preference) => _preferenceCreate(preference);
    public int PreferenceSetAttribute(nint preference, int attribute, void* value, nuint size) => _preferenceSetAttribute(preference, attribute, value, size);
    public int PreferenceDestroy(nint preference) => _preferenceDestroy(preference);
    public int Heuristic(nint handle, nint description, nint a, nint b, nint c, nint d, nint preference, int wanted, CublasLtChoice* choices, int* found) => _heuristic(handle, description, a, b, c, d, preference, wanted, choices, found);
    public int Matmul(nint handle, nint description, float* alpha, nint a, nint aLayout, nint b, nint bLayout, float* beta, nint c, nint cLayout, nint d, nint dLayout, CublasLtAlgorithm* algorithm, nint workspace, nuint workspaceBytes, nint stream) => _matmul(handle, description, alpha, a, aLayout, b, bLayout, beta, c, cLayout, d, dLayout, algorithm, workspace, workspaceBytes, stream);

    private static CublasLt? Load()
    {
        if (Environment.GetEnvironmentVariable(Switch) == "off")
        {
            return null;
        }

        var library = NativeSearch.Find(OperatingSystem.IsWindows() ? ["cublasLt64_13.dll", "cublasLt64_12.dll"] : ["libcublasLt.so.13", "libcublasLt.so.12"], userPath: null, out _);
        try
        {
            return library == 0 ? null : new CublasLt(library);
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }
}
