// Makes the kernels that the package carries for machines without NVRTC: KernelPtx FILE.
// Run by `dotnet pack`. Where no NVRTC is found it says so and makes nothing: the package then needs NVRTC on the user's machine.
using System.Diagnostics;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

if (args is not [var path])
{
    Console.Error.WriteLine("KernelPtx FILE");
    return 2;
}

File.Delete(path);
if (Nvrtc.Find(out var reason) is not { } nvrtc)
{
    Console.WriteLine($"No PTX is made: {reason}");
    return 0;
}

var compiler = new KernelCompiler(nvrtc);
var watch = Stopwatch.StartNew();
(KernelSpec Spec, int Architecture)[] kernels = [.. PtxArchive.Architectures.SelectMany(a => CudaKernels.Shipped(a).Select(s => (s, a))).DistinctBy(k => KernelCompiler.Hash(k.s, k.a))];
var code = new byte[kernels.Length][];
Parallel.For(0, kernels.Length, i => code[i] = compiler.CompilePtx(kernels[i].Spec, kernels[i].Architecture));
var byKernel = kernels.Zip(code).ToDictionary(k => k.First, k => k.Second);
PtxArchive.Write(path + ".tmp", kernels, (spec, architecture) => byKernel[(spec, architecture)]);
File.Move(path + ".tmp", path, overwrite: true);
Console.WriteLine(FormattableString.Invariant($"{kernels.Length} kernels in {new FileInfo(path).Length / 1e6:0.0} MB, of {code.Sum(c => (long)c.Length) / 1e6:0.0} MB of PTX by NVRTC {compiler.Version}, {watch.Elapsed.TotalSeconds:0} s"));
return 0;
