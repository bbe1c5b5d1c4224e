using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Kernels of one context, loaded when they are first asked for.</summary>
/// <param name="context">Where they run.</param>
/// <param name="images">Their code.</param>
internal sealed class KernelCache(CudaContext context, KernelImages images) : IDisposable
{
    private readonly Dictionary<string, (CudaModule Module, CudaKernel Kernel)> _kernels = new(StringComparer.Ordinal);

    /// <summary>The same by the spec that was the first of its name: a launch should not put a name together.</summary>
    private readonly Dictionary<KernelSpec, CudaKernel> _bySpec = new(ReferenceEqualityComparer.Instance);

    private readonly Dictionary<KernelSpec, bool> _had = new(ReferenceEqualityComparer.Instance);

    public KernelImages Images => images;

    /// <summary>The kernel, ready to be launched. The same for equal variants.</summary>
    public CudaKernel Get(KernelSpec spec) => _bySpec.TryGetValue(spec, out var kernel) ? kernel : Make(spec);

    /// <summary>Whether the kernel could be had. Where there is no compiler a rare variant has to be replaced by a more general kernel.</summary>
    public bool Has(KernelSpec spec)
    {
        if (images.Compiles)
        {
            return true;
        }

        if (!_had.TryGetValue(spec, out var had))
        {
            _had[spec] = had = images.Has(spec, context.Architecture);
        }

        return had;
    }

    public void Dispose()
    {
        foreach (var (module, _) in _kernels.Values)
        {
            module.Dispose();
        }

        _kernels.Clear();
        _bySpec.Clear();
    }

    private CudaKernel Make(KernelSpec spec)
    {
        var key = spec.Variant;
        if (_kernels.TryGetValue(key, out var known))
        {
            return known.Kernel;
        }

        if (context.Architecture < spec.MinArchitecture)
        {
            throw new DeviceException(DeviceException.Unsupported, FormattableString.Invariant($"The kernel {spec.Variant} needs compute capability {spec.MinArchitecture / 10.0:0.0}; {context.Name} has {context.Architecture / 10.0:0.0}."));
        }

        if (spec.SharedBytes > context.SharedBytes)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The kernel {spec.Variant} needs {spec.SharedBytes} bytes of shared memory; a block of {context.Name} has at most {context.SharedBytes}.");
        }

        var module = CudaModule.Load(context, images.Of(spec, context.Architecture), spec.Variant);
        try
        {
            var kernel = new CudaKernel(context, module.Function(spec.Name), spec);
            _kernels.Add(key, (module, kernel));
            return kernel;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }
}
