using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Where a kernel's code comes from, without a card: the folder, then the compiler, then what the package carries, and a sentence where it is nowhere.</summary>
public sealed class KernelImagesTests : IDisposable
{
    private const string Missing = "NVRTC was not found.";
    private static readonly KernelSpec Spec = CudaKernels.RmsNorm;

    private readonly string _folder = Directory.CreateTempSubdirectory("kernels").FullName;

    [Fact]
    public void TheCompilerMakesWhatTheFolderDoesNotHaveAndTheFolderKeepsIt()
    {
        var first = Images(compiles: true, Archive());
        Assert.Equal([1, 0, 0, 0], first.Of(Spec, 90));
        var second = Images(compiles: true, Archive());
        Assert.Equal([1, 0, 0, 0], second.Of(Spec, 90));
        Assert.Equal((1, 0, 0), (first.Compiled, second.Compiled, first.Translated));
    }

    [Fact]
    public void WithoutACompilerTheFolderServesAndThenThePackage()
    {
        Images(compiles: true, shipped: null).Of(Spec, 90);
        var images = Images(compiles: false, Archive());
        Assert.Equal([1, 0, 0, 0], images.Of(Spec, 90));
        Assert.Equal("ptx 80", Encoding.ASCII.GetString(images.Of(Spec, 86)));
        Assert.Equal("ptx 90", Encoding.ASCII.GetString(images.Of(Spec, 120)));
        Assert.Equal(2, images.Translated);
    }

    [Fact]
    public void ADamagedFileOfTheFolderIsCompiledAgain()
    {
        Images(compiles: true, shipped: null).Of(Spec, 90);
        File.WriteAllBytes(Assert.Single(Directory.GetFiles(_folder)), [1, 2, 3]);
        var images = Images(compiles: true, shipped: null);
        Assert.Equal([1, 0, 0, 0], images.Of(Spec, 90));
        Assert.Equal(1, images.Compiled);
    }

    [Fact]
    public void AKernelThatIsNowhereIsRefusedWithWhatIsMissing()
    {
        var images = Images(compiles: false, Archive());
        Assert.False(images.Has(CudaKernels.ShortConvolution(5), 90));
        var error = Assert.Throws<DeviceException>(() => images.Of(CudaKernels.ShortConvolution(5), 90));
        Assert.Equal(DeviceException.Unsupported, error.Code);
        Assert.Contains("short_convolution", error.Message, StringComparison.Ordinal);
        Assert.EndsWith(Missing, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ADamagedPackageIsAsGoodAsNone()
    {
        Archive();
        var path = Path.Combine(_folder, "archive");
        var bytes = File.ReadAllBytes(path);
        var random = new Random(7);
        for (var i = 0; i < 200; i++)
        {
            var damaged = (byte[])bytes.Clone();
            damaged[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, i % 10 == 0 ? damaged[..random.Next(bytes.Length)] : damaged);
            _ = PtxArchive.Open(path)!.Find(Spec, 90);
        }
    }

    [Fact]
    public void WithNeitherCompilerNorPackageACardIsUnavailable()
    {
        var error = Assert.Throws<DeviceException>(() => CudaBackend.Create(new FakeDriver(), nvrtc: null, new CudaOptions { KernelFolder = null }, shipped: null, Missing));
        Assert.Equal(DeviceException.Unavailable, error.Code);
        Assert.StartsWith(Missing, error.Message, StringComparison.Ordinal);
        Assert.Contains(PtxArchive.FileName, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ACardWithoutACompilerIsOpenedWithThePackagesKernels()
    {
        using var backend = CudaBackend.Create(new FakeDriver(), nvrtc: null, new CudaOptions { KernelFolder = null }, Archive(), Missing);
        var rows = backend.AllocateRows(1, 8);
        backend.RmsNorm(rows, rows.Buffer, 1e-5f, rows, 1);
        Assert.Equal((0, 1), (backend.CompiledKernels, backend.TranslatedKernels));
    }

    /// <summary>The list is what README promises: common heads, groups 1 to 8, both types, for Ampere and for Hopper.</summary>
    [Fact]
    public void ThePackageCarriesTheCommonVariants()
    {
        foreach (var architecture in PtxArchive.Architectures)
        {
            var variants = CudaKernels.Shipped(architecture).Select(s => s.Variant).ToHashSet(StringComparer.Ordinal);
            foreach (var shared in (int[])[101_376, architecture >= 90 ? 232_448 : 166_912])
            {
                foreach (var dim in (int[])[64, 96, 128, 256])
                {
                    for (var group = 1; group <= 8; group++)
                    {
                        Assert.Contains(DecodeAttention.Spec(new DecodeVariant(dim, group, 1), architecture, shared).Variant, variants);
                        Assert.Contains(DecodeAttention.Spec(new DecodeVariant(dim, group, 2), architecture, shared).Variant, variants);
                    }
                }
            }
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private KernelImages Images(bool compiles, PtxArchive? shipped) => new(compiles ? new KernelCompiler(new FakeDriver()) : null, shipped, _folder, Missing);

    private PtxArchive Archive()
    {
        var path = Path.Combine(_folder, "archive");
        PtxArchive.Write(path, [(Spec, 80), (Spec, 90), (CudaKernels.LayerNorm, 90)], (_, architecture) => Encoding.ASCII.GetBytes($"ptx {architecture}"));
        return PtxArchive.Open(path)!;
    }
}
