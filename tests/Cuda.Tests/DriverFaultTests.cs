using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Every call to the driver may fail: a typed error, everything given back, once.</summary>
public sealed class DriverFaultTests : IDisposable
{
    private const int Steps = 20;

    private static readonly EngineOptions Options = new() { KvCacheBytes = 1 << 20, MaxBatchSequences = 2, MaxBatchTokens = 16 };

    private readonly TinyModel _model = TinyModel.Create(new TinyModelOptions { HiddenSize = 16, Heads = 2, KvHeads = 1, Layers = 1, IntermediateSize = 16, ContextLength = 64, EndsItself = false, Tokenizer = false });

    [Theory]
    [InlineData((int)CudaStatus.IllegalAddress, false)]
    [InlineData((int)CudaStatus.IllegalAddress, true)]
    [InlineData((int)CudaStatus.OutOfMemory, false)]
    public async Task TheNthCallFailsForEveryNOfLoadingAndTwentySteps(int status, bool sticky)
    {
        var whole = new FakeDriver();
        Assert.Null(await Run(whole));
        Assert.Empty(whole.Wrongs);
        Assert.InRange(whole.Calls, 200, 5000);
        for (var n = 1; n <= whole.Calls; n++)
        {
            var driver = new FakeDriver { FailAt = n, FailWith = (CudaStatus)status, Sticky = sticky };
            var error = await Run(driver);
            Assert.True(error is null or DeviceException or EngineFaultedException { InnerException: DeviceException }, $"call {n}: {error}");
            Assert.True(driver.Wrongs.Count == 0, $"call {n}: {string.Join(", ", driver.Wrongs)}");
        }
    }

    [Fact]
    public async Task AModelThatDoesNotFitIsRefusedWithTheFigures()
    {
        var driver = new FakeDriver { Memory = 1 << 20 };
        var error = Assert.IsType<DeviceOutOfMemoryException>(await Run(driver));
        Assert.True(error.RequiredBytes > error.FreeBytes, error.Message);
        Assert.Contains("1048576", error.Message, StringComparison.Ordinal);
        Assert.Empty(driver.Wrongs);
    }

    [Fact]
    public void AutoTakesTheProcessorWithOneSentenceWhereTheCardCannotBeUsed()
    {
        var log = new List<string>();
        using var engine = LlmEngine.Load(_model.Path, Options with { Log = log.Add, DeviceIndex = 200 });
        Assert.StartsWith("cpu", engine.Stats.Backend, StringComparison.Ordinal);
        Assert.Equal(CudaBackend.HasDriver ? 1 : 0, log.Count(l => l.StartsWith("The CPU computes", StringComparison.Ordinal)));
    }

    [Fact]
    public void CudaWithoutACardSaysWhatIsMissing()
    {
        Assert.SkipWhen(CudaBackend.HasDriver, "this machine has a driver");
        var error = Assert.Throws<DeviceException>(() => LlmEngine.Load(_model.Path, Options with { Backend = ComputeBackend.Cuda }));
        Assert.Equal(DeviceException.Unavailable, error.Code);
        Assert.Contains("nvidia.com/drivers", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A step that finds no memory fails its requests; the next request is served.</summary>
    [Fact]
    public async Task AStepWithoutMemoryFailsItsRequestsAndTheEngineLives()
    {
        // The call that fails is found by trying: the first one whose failure ends the first request and not the second.
        var served = 0;
        var whole = new FakeDriver();
        await Run(whole);
        for (var n = 1; n <= whole.Calls; n++)
        {
            var driver = new FakeDriver { FailAt = n, FailWith = CudaStatus.OutOfMemory };
            try
            {
                using var engine = Open(driver);
                var first = await Record.ExceptionAsync(() => Generate(engine));
                if (first is DeviceException)
                {
                    await Generate(engine);
                    Assert.False(engine.Stats.Faulted);
                    served++;
                }
            }
            catch (DeviceException)
            {
                // While loading.
            }
        }

        Assert.NotEqual(0, served);
    }

    public void Dispose() => _model.Dispose();

    /// <summary>Loads, generates twice, disposes; the error, if there was one.</summary>
    private async Task<Exception?> Run(FakeDriver driver)
    {
        try
        {
            using var engine = Open(driver);
            await Generate(engine);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private LlmEngine Open(FakeDriver driver) => LlmEngine.Load(_model.Path, Options, () => CudaBackend.Create(driver, driver, new CudaOptions { KernelFolder = null }, cublas: driver));

    private static async Task Generate(LlmEngine engine)
    {
        await using var generation = engine.Submit(new GenerationRequest { Prompt = Enumerable.Range(5, 11).ToArray(), MaxOutputTokens = Steps, Sampling = new SamplingOptions { Temperature = 0 } });
        var tokens = 0;
        await foreach (var piece in generation.ReadAllAsync())
        {
            tokens += piece.Token is null ? 0 : 1;
        }

        Assert.Equal(Steps, tokens);
    }
}
