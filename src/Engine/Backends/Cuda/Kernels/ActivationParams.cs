using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>What activation.cuh calls the same.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ActivationParams(Activation activation)
{
    public int Kind = (int)activation.Kind;
    public float P = activation.P;
    public float N = activation.N;
    public float Beta = activation.Beta;
    public float Epsilon = activation.Epsilon;
    public float Alpha = activation.Alpha;
    public float Limit = activation.Limit;
    private readonly int _unused;
}
