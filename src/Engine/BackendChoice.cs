using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine;

/// <summary>What computes, and what takes its place where it cannot.</summary>
internal static class BackendChoice
{
    /// <summary>Loads with what the options name. Auto takes the card, and where that cannot be used, or cannot run this model, says so in one sentence and takes the processor.</summary>
    public static T Load<T>(EngineOptions options, Func<Func<IBackend>, T> load)
    {
        IBackend Cpu() => CpuBackend.Create(
            options.Threads,
            arithmetic: options.Arithmetic,
            kernels: options.CpuKernels == CpuKernels.Managed ? ProductKernels.Managed : ProductKernels.Auto,
            cache: options.KvCacheType switch { KvCacheType.BFloat16 => DType.BF16, KvCacheType.Int8 => DType.I8, KvCacheType.Auto when options.Arithmetic == Arithmetic.Fast => DType.BF16, _ => DType.F32 });
        IBackend Cuda() => CudaBackend.Create(new CudaOptions
        {
            Device = options.DeviceIndex,
            Attention = options.Attention,
            Prefetch = options.Prefetch,
            PrefetchDistance = options.PrefetchDistance,
            BatchInvariant = options.BatchInvariant,
            KvType = options.KvCacheType switch
            {
                KvCacheType.Float32 => DType.F32,
                KvCacheType.Int8 => throw new DeviceException(DeviceException.Unsupported, "A card keeps keys and values as bfloat16 or float32, not as int8."),
                _ => DType.BF16,
            },
        });
        switch (options.Backend)
        {
            case ComputeBackend.Cpu:
                return load(Cpu);
            case ComputeBackend.Cuda:
                return load(Cuda);
            default:
                if (!CudaBackend.HasDriver)
                {
                    return load(Cpu);
                }

                var opened = false;
                try
                {
                    return load(() =>
                    {
                        var backend = Cuda();
                        opened = true;
                        return backend;
                    });
                }
                catch (Exception e) when (e is DeviceException || (opened && e is UnsupportedModelException))
                {
                    options.Log?.Invoke($"The CPU computes: {e.Message}");
                    return load(Cpu);
                }
        }
    }

    /// <summary>Figures of the card, or null.</summary>
    public static DeviceStats? Device(IBackend backend) =>
        backend is CudaBackend cuda ? new DeviceStats(cuda.DeviceName, cuda.TotalBytes, cuda.FreeBytes, cuda.WeightBytes, cuda.Graphs, cuda.CompiledKernels, cuda.TranslatedKernels, cuda.Prefetch) : null;
}
