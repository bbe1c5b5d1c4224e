using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cuda;

namespace KvPrefetch.Tests.Cuda;

public sealed class LoadingTests
{
    /// <summary>Without a card: matrices of many pieces arrive whole.</summary>
    [Fact]
    public unsafe void LargeMatricesArriveAsTheyAre()
    {
        var driver = new FakeDriver { Memory = 1L << 30 };
        using (var backend = CudaBackend.Create(driver, driver, new CudaOptions { KernelFolder = null }))
        {
            var random = new Random(5);
            foreach (var length in (int[])[3, 1 << 20, (2 << 20) + 1, (16 << 20) + 7, (70 << 20) + 3])
            {
                var bytes = new byte[2 * length];
                random.NextBytes(bytes);
                fixed (byte* from = bytes)
                {
                    var weight = backend.LoadMatrix("w", Engine.Numerics.DType.BF16, length, 1, (nint)from);
                    Assert.True(bytes.AsSpan().SequenceEqual(new ReadOnlySpan<byte>((void*)weight.Data.Address, bytes.Length)), $"{length}");
                }
            }
        }

        Assert.Empty(driver.Wrongs);
    }

    [Fact]
    public void AModelOfLargeMatricesLoads()
    {
        using var model = TinyModel.Create(new TinyModelOptions { HiddenSize = 512, Heads = 8, KvHeads = 2, Layers = 1, IntermediateSize = 4096, ContextLength = 64, EndsItself = false, Tokenizer = false });
        var driver = new FakeDriver { Memory = 1L << 30 };
        LlmEngine.Load(model.Path, new EngineOptions { KvCacheBytes = 1 << 20, MaxBatchTokens = 16 }, () => CudaBackend.Create(driver, driver, new CudaOptions { KernelFolder = null })).Dispose();
        Assert.Empty(driver.Wrongs);
    }
}
