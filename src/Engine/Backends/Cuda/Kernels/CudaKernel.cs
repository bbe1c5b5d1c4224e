using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>A kernel on the card. Lives as long as its <see cref="KernelCache"/>.</summary>
internal sealed unsafe class CudaKernel
{
    /// <summary>Set to 1, every launch is waited for, so that an error names the kernel that made it.</summary>
    private static readonly bool Waits = Environment.GetEnvironmentVariable("KVPREFETCH_CUDA_SYNC") == "1";

    private readonly CudaContext _context;
    private readonly nint _function;

    public CudaKernel(CudaContext context, nint function, KernelSpec spec)
    {
        (_context, _function, Spec) = (context, function, spec);
        if (spec.SharedBytes > 48 * 1024)
        {
            context.Check(context.Driver.FunctionSetAttribute(function, CudaAttribute.FunctionMaxDynamicShared, spec.SharedBytes), $"'{spec.Variant}' was given {spec.SharedBytes} bytes of shared memory");
        }
    }

    public KernelSpec Spec { get; }

    /// <summary>Registers of a thread, and bytes of local memory where it spills.</summary>
    public (int Registers, int LocalBytes) Resources => (Attribute(CudaAttribute.FunctionRegisters), Attribute(CudaAttribute.FunctionLocalBytes));

    /// <summary>Puts the kernel into the stream. An empty grid is nothing.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="x">Blocks.</param>
    /// <param name="y">Blocks; at most 65,535.</param>
    /// <param name="z">Blocks; at most 65,535.</param>
    /// <param name="parameters">The struct, of the spec's size.</param>
    /// <param name="sharedBytes">Dynamic shared memory where it is less than the spec's.</param>
    public void Launch<T>(CudaStream stream, long x, long y, long z, in T parameters, int sharedBytes = -1)
        where T : unmanaged
    {
        if (sizeof(T) != Spec.ParamsBytes)
        {
            throw new ArgumentException($"{Spec.Variant} takes {Spec.ParamsBytes} bytes, {typeof(T).Name} has {sizeof(T)}.", nameof(parameters));
        }

        if (x * y * z == 0)
        {
            return;
        }

        var overlap = new LaunchAttribute { Id = LaunchAttribute.ProgrammaticStreamSerialization, Value = 1 };
        var overlaps = Spec.Overlaps && _context.Overlaps;
        var config = new LaunchConfig
        {
            GridX = checked((uint)x),
            GridY = checked((uint)y),
            GridZ = checked((uint)z),
            BlockX = (uint)Spec.Threads,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = (uint)(sharedBytes < 0 ? Spec.SharedBytes : sharedBytes),
            Stream = stream.Value,
            Attributes = overlaps ? &overlap : null,
            AttributeCount = overlaps ? 1u : 0u,
        };
        fixed (T* pointer = &parameters)
        {
            var argument = (void*)pointer;
            var status = _context.Driver.LaunchKernel(&config, _function, &argument, null);
            if (status != CudaStatus.Success)
            {
                Fail(status);
            }
        }

        if (Waits && _context.Driver.StreamSynchronize(stream.Value) is not CudaStatus.Success and var late)
        {
            Fail(late);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fail(CudaStatus status) => _context.Check(status, $"'{Spec.Variant}' was started");

    private int Attribute(int attribute)
    {
        int value;
        _context.Check(_context.Driver.FunctionGetAttribute(&value, attribute, _function), $"'{Spec.Variant}' was examined");
        return value;
    }
}
