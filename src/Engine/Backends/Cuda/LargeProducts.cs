using System.Numerics;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Products of many rows by cuBLASLt, where it is installed: output = x * Wᵀ + bias, x in the weights' type, float32 sums. What it does not offer is left to the engine's own kernel.</summary>
internal sealed unsafe class LargeProducts(CudaContext context, ICublasLt library) : IDisposable
{
    private const int OutOfMemory = 3;
    private const long WorkspaceBytes = 32 << 20;

    /// <summary>Shapes that are remembered: prompts come in every length.</summary>
    private const int MaxPlans = 1024;

    private const int TransposeA = 3, Epilogue = 7, BiasPointer = 8;
    private const int EpilogueBias = 4;
    private const int PreferredWorkspace = 1, LeastAlignment = 5;
    private const int ComputeF32 = 68, TypeF32 = 0, TypeF16 = 2, TypeBf16 = 14;

    private readonly Dictionary<Shape, Plan?> _plans = [];
    private DeviceMemory? _workspace;
    private nint _handle;

    /// <summary>False where cuBLASLt has no kernel for this product; then nothing was done.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="type">F16 or BF16.</param>
    /// <param name="x"><c>[rows, inputs]</c>, without gaps.</param>
    /// <param name="target">Weights and bias.</param>
    /// <param name="inputs">Inputs.</param>
    /// <param name="output">Where the first output of the first row goes.</param>
    /// <param name="rows">Rows.</param>
    public bool TryMultiply(CudaStream stream, DType type, nint x, Target target, int inputs, RowsView output, int rows)
    {
        var shape = new Shape(type, rows, target.Outputs, inputs, output.Stride, target.Bias != 0, Alignment(target.Weights), Alignment(x), Alignment(output.Data));
        if (!_plans.TryGetValue(shape, out var plan))
        {
            if (_plans.Count == MaxPlans)
            {
                Forget();
            }

            _plans[shape] = plan = Make(shape);
        }

        if (plan is null)
        {
            return false;
        }

        float one = 1, zero = 0;
        if (target.Bias != 0)
        {
            var bias = target.Bias;
            Check(library.MatmulDescSetAttribute(plan.Description, BiasPointer, &bias, (nuint)sizeof(nint)));
        }

        var algorithm = plan.Algorithm;
        Check(library.Matmul(_handle, plan.Description, &one, target.Weights, plan.Weights, x, plan.X, &zero, output.Data, plan.Output, output.Data, plan.Output, &algorithm, _workspace!.Value, (nuint)WorkspaceBytes, stream.Value));
        return true;
    }

    public void Dispose()
    {
        Forget();
        _workspace?.Dispose();
        if (_handle != 0)
        {
            _ = library.Destroy(_handle);
            _handle = 0;
        }
    }

    /// <summary>Null: not offered.</summary>
    private Plan? Make(Shape shape)
    {
        if (_handle == 0)
        {
            nint handle;
            Check(library.Create(&handle));
            _handle = handle;
        }

        _workspace ??= DeviceMemory.Allocate(context, WorkspaceBytes, "the workspace of matrix products");
        var plan = new Plan(library);
        nint preference = 0;
        try
        {
            // Row-major [r, c] is column-major [c, r]: outputs = W (transposed) times x.
            var type = shape.Type == DType.F16 ? TypeF16 : TypeBf16;
            var transposed = 1;
            nint made;
            Check(library.MatmulDescCreate(&made, ComputeF32, TypeF32));
            plan.Description = made;
            Check(library.MatmulDescSetAttribute(made, TransposeA, &transposed, sizeof(int)));
            if (shape.Biased)
            {
                var epilogue = EpilogueBias;
                Check(library.MatmulDescSetAttribute(made, Epilogue, &epilogue, sizeof(int)));
            }

            Check(library.LayoutCreate(&made, type, (ulong)shape.Inputs, (ulong)shape.Outputs, shape.Inputs));
            plan.Weights = made;
            Check(library.LayoutCreate(&made, type, (ulong)shape.Inputs, (ulong)shape.Rows, shape.Inputs));
            plan.X = made;
            Check(library.LayoutCreate(&made, TypeF32, (ulong)shape.Outputs, (ulong)shape.Rows, shape.Stride));
            plan.Output = made;
            Check(library.PreferenceCreate(&preference));
            var bytes = (nuint)WorkspaceBytes;
            Check(library.PreferenceSetAttribute(preference, PreferredWorkspace, &bytes, (nuint)sizeof(nuint)));
            var alignments = stackalloc uint[] { shape.WeightsAlignment, shape.XAlignment, shape.OutputAlignment, shape.OutputAlignment };
            for (var i = 0; i < 4; i++)
            {
                Check(library.PreferenceSetAttribute(preference, LeastAlignment + i, alignments + i, sizeof(uint)));
            }

            CublasLtChoice choice;
            var found = 0;
            if (library.Heuristic(_handle, plan.Description, plan.Weights, plan.X, plan.Output, plan.Output, preference, 1, &choice, &found) != 0 || found == 0)
            {
                plan.Dispose();
                return null;
            }

            plan.Algorithm = choice.Algorithm;
            return plan;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
        finally
        {
            if (preference != 0)
            {
                _ = library.PreferenceDestroy(preference);
            }
        }
    }

    private void Forget()
    {
        foreach (var plan in _plans.Values)
        {
            plan?.Dispose();
        }

        _plans.Clear();
    }

    private void Check(int status)
    {
        if (status == OutOfMemory)
        {
            throw new DeviceOutOfMemoryException($"cuBLASLt found no memory on {context.Name}.", 0, context.FreeBytes());
        }

        if (status != 0)
        {
            throw new DeviceException(DeviceException.Fault, FormattableString.Invariant($"cuBLASLt error {status} while a matrix product was started on {context.Name}."));
        }
    }

    /// <summary>The largest power of two, 256 at most, that divides the address.</summary>
    private static uint Alignment(nint address) => 1u << Math.Min(8, BitOperations.TrailingZeroCount(address));

    private readonly record struct Shape(DType Type, int Rows, int Outputs, int Inputs, long Stride, bool Biased, uint WeightsAlignment, uint XAlignment, uint OutputAlignment);

    private sealed class Plan(ICublasLt library) : IDisposable
    {
        public nint Description { get; set; }
        public nint Weights { get; set; }
        public nint X { get; set; }
        public nint Output { get; set; }
        public CublasLtAlgorithm Algorithm { get; set; }

        public void Dispose()
        {
            foreach (var layout in (nint[])[Weights, X, Output])
            {
                if (layout != 0)
                {
                    _ = library.LayoutDestroy(layout);
                }
            }

            if (Description != 0)
            {
                _ = library.MatmulDescDestroy(Description);
            }
        }
    }
}
