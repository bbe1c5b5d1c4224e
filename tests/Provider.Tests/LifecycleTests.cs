using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>Many callers at once, those who leave early, and the end of a client. Each test has a client of its own.</summary>
public sealed class LifecycleTests : IDisposable
{
    private const int Long = 1500;
    private static readonly ChatMessage[] Hello = Chat.User("Hello");
    private readonly TinyModel _model = TinyModel.Create(new() { EndsItself = false, ContextLength = 2048 });
    private readonly List<IDisposable> _disposables = [];

    public void Dispose()
    {
        _disposables.ForEach(d => d.Dispose());
        _model.Dispose();
    }

    private KvPrefetchChatClient Client(Action<KvPrefetchOptions>? configure = null)
    {
        var options = Chat.Options(_model);
        configure?.Invoke(options);
        var client = new KvPrefetchChatClient(options);
        _disposables.Add(client);
        return client;
    }

    private async Task<(KvPrefetchChatClient Client, LlmEngine Engine)> LoadedAsync(Action<KvPrefetchOptions>? configure = null)
    {
        var client = Client(configure);
        await client.LoadAsync();
        return (client, client.GetService<LlmEngine>()!);
    }

    [Fact]
    public async Task Sixty_four_concurrent_calls_each_get_what_they_get_alone()
    {
        var (client, engine) = await LoadedAsync();
        ChatMessage[] Messages(int i) => Chat.User(string.Concat(Enumerable.Repeat("word ", i % 13)) + i);
        ChatOptions Options(int i) => i % 3 == 0 ? Chat.Greedy(5 + i) : Chat.Sampled(5 + i, seed: i);
        var alone = new List<string>();
        for (var i = 0; i < 64; i++)
        {
            alone.Add((await client.GetResponseAsync(Messages(i), Options(i))).Text);
        }

        var together = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
            i % 2 == 0 ? (await client.GetResponseAsync(Messages(i), Options(i))).Text : Chat.Text(await Chat.CollectAsync(client.GetStreamingResponseAsync(Messages(i), Options(i)))))));
        Assert.Equal(alone, together);
        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CR17_one_options_object_serves_all_calls()
    {
        var (client, _) = await LoadedAsync();
        var options = Chat.Sampled(16, seed: 9);
        var expected = (await client.GetResponseAsync(Hello, options)).Text;
        var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => client.GetResponseAsync(Hello, options)));
        Assert.All(answers, a => Assert.Equal(expected, a.Text));
    }

    [Fact]
    public async Task CL02_cancelling_a_running_stream_throws_with_the_callers_token_and_frees_its_pages()
    {
        var (client, engine) = await LoadedAsync();
        var other = client.GetResponseAsync(Hello, Chat.Greedy(100));
        using var source = new CancellationTokenSource();
        await using var stream = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long), source.Token));
        await source.CancelAsync();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
            }
        });
        Assert.Equal(source.Token, error.CancellationToken);
        await source.CancelAsync();
        Assert.Equal((await client.GetResponseAsync(Hello, Chat.Greedy(100))).Text, (await other).Text);
        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CL02_the_token_that_fired_is_the_one_thrown_whichever_of_two_it_was()
    {
        var (client, engine) = await LoadedAsync();
        using var call = new CancellationTokenSource();
        using var enumeration = new CancellationTokenSource();
        await using var stream = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long), call.Token), enumeration.Token);
        await enumeration.CancelAsync();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
            }
        });
        Assert.Equal(enumeration.Token, error.CancellationToken);
        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CL02_a_token_cancelled_before_the_call_runs_nothing()
    {
        var client = Client();
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetResponseAsync(Hello, null, source.Token));
        Assert.Equal(source.Token, error.CancellationToken);
        Assert.Null(client.GetService<LlmEngine>());
    }

    [Fact]
    public async Task CL02_cancelling_at_every_token_leaves_nothing_behind_and_a_finished_stream_does_not_mind()
    {
        var (client, engine) = await LoadedAsync();
        var expected = Chat.Text(await Chat.CollectAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(20))));
        for (var at = 0; at < 24; at++)
        {
            using var source = new CancellationTokenSource();
            var text = "";
            var updates = 0;
            try
            {
                await foreach (var update in client.GetStreamingResponseAsync(Hello, Chat.Greedy(20), source.Token))
                {
                    text += update.Text;
                    if (updates++ == at)
                    {
                        await source.CancelAsync();
                    }
                }

                Assert.Equal(expected, text);
            }
            catch (OperationCanceledException e)
            {
                Assert.Equal(source.Token, e.CancellationToken);
                Assert.StartsWith(text, expected, StringComparison.Ordinal);
            }

            await source.CancelAsync();
        }

        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CL02_cancelling_a_call_that_waits_in_the_queue_ends_it_at_once()
    {
        var (client, engine) = await LoadedAsync(o => o.MaxBatchSequences = 1);
        await using var running = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)));
        using var source = new CancellationTokenSource();
        var waiting = client.GetResponseAsync(Hello, Chat.Greedy(5), source.Token);
        await Chat.EventuallyAsync(() => engine.Stats.WaitingSequences == 1);
        await source.CancelAsync();
        Assert.Equal(source.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting)).CancellationToken);
        Assert.True(await running.MoveNextAsync());
    }

    [Fact]
    public async Task CL04_an_abandoned_enumerator_leaves_the_batch_and_frees_its_pages()
    {
        var (client, engine) = await LoadedAsync();
        await foreach (var update in client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)))
        {
            if (update.Text.Length > 0)
            {
                break;
            }
        }

        await Chat.IdleAsync(engine);
        Assert.True(engine.Stats.GeneratedTokens < Long);

        _ = client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)); // never enumerated
        var unopened = client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)).GetAsyncEnumerator();
        await unopened.DisposeAsync();
        Assert.False(await unopened.MoveNextAsync());
        Assert.Equal((0, 0), (engine.Stats.RunningSequences, engine.Stats.WaitingSequences));
    }

    [Fact]
    public async Task CL05_a_consumer_that_throws_harms_nobody_else()
    {
        var (client, engine) = await LoadedAsync();
        var expected = (await client.GetResponseAsync(Hello, Chat.Greedy(60))).Text;
        var other = client.GetResponseAsync(Hello, Chat.Greedy(60));
        await Assert.ThrowsAsync<FormatException>(async () =>
        {
            await foreach (var update in client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)))
            {
                throw new FormatException();
            }
        });
        Assert.Equal(expected, (await other).Text);
        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CL05_a_consumer_that_rests_holds_nobody_up_and_loses_nothing()
    {
        var (client, _) = await LoadedAsync();
        var expected = (await client.GetResponseAsync(Hello, Chat.Greedy(300))).Text;
        await using var slow = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(300)));
        var text = slow.Current.Text;
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(expected, (await client.GetResponseAsync(Hello, Chat.Greedy(300))).Text);
        }

        while (await slow.MoveNextAsync())
        {
            text += slow.Current.Text;
        }

        Assert.Equal(expected, text);
    }

    [Fact]
    public async Task Overload_is_refused_before_the_first_update_and_says_when_to_come_back()
    {
        var (client, engine) = await LoadedAsync(o => (o.MaxBatchSequences, o.MaxQueue) = (1, 1));
        await using var running = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)));
        var waiting = client.GetResponseAsync(Hello, Chat.Greedy(5));
        await Chat.EventuallyAsync(() => engine.Stats.WaitingSequences == 1);
        await using var refused = client.GetStreamingResponseAsync(Hello, Chat.Greedy(5)).GetAsyncEnumerator();
        var error = await Assert.ThrowsAsync<EngineOverloadedException>(async () => await refused.MoveNextAsync());
        Assert.True(error.RetryAfter > TimeSpan.Zero);
        await running.DisposeAsync();
        Assert.Equal(5, (await waiting).Usage!.OutputTokenCount);
        await Chat.IdleAsync(engine);
    }

    [Fact]
    public async Task CR04_a_prompt_that_the_cache_can_never_hold_is_refused_before_the_first_update()
    {
        var (client, engine) = await LoadedAsync(o => (o.ContextLength, o.KvCacheBytes) = (2048, 100_000));
        var expected = (await client.GetResponseAsync(Hello, Chat.Greedy(5))).Text;
        await using var refused = client.GetStreamingResponseAsync(Chat.User(new string('0', 1500)), Chat.Greedy(5)).GetAsyncEnumerator();
        await Assert.ThrowsAsync<KvCapacityException>(async () => await refused.MoveNextAsync());
        Assert.Equal(expected, (await client.GetResponseAsync(Hello, Chat.Greedy(5))).Text);
        await Chat.IdleAsync(engine);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CL06_disposing_ends_streams_and_queued_calls_with_ObjectDisposedException(bool ownsEngine)
    {
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { Threads = 1, KvCacheBytes = 16 << 20, MaxBatchSequences = 1 });
        using var client = new KvPrefetchChatClient(engine, ownsEngine);
        await using var streaming = await Chat.StartedAsync(client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)));
        var queued = client.GetResponseAsync(Hello, Chat.Greedy(5));
        await Chat.EventuallyAsync(() => engine.Stats.WaitingSequences == 1);
        client.Dispose();
        client.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            while (await streaming.MoveNextAsync())
            {
            }
        }).WaitAsync(Chat.Patience);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queued).WaitAsync(Chat.Patience);
        Assert.Throws<ObjectDisposedException>(() => client.GetStreamingResponseAsync(Hello));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await client.GetResponseAsync(Hello));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.LoadAsync());
        Assert.NotNull(client.GetService<ChatClientMetadata>());
        if (ownsEngine)
        {
            Assert.Throws<ObjectDisposedException>(() => engine.Submit(new GenerationRequest { Prompt = new[] { 1 } }));
        }
        else
        {
            await Chat.IdleAsync(engine);
            using var next = new KvPrefetchChatClient(engine);
            Assert.Equal(5, (await next.GetResponseAsync(Hello, Chat.Greedy(5))).Usage!.OutputTokenCount);
        }
    }

    [Fact]
    public async Task CL06_a_client_may_be_disposed_from_inside_its_stream_and_while_idle()
    {
        var (idle, _) = await LoadedAsync();
        idle.Dispose();
        var (client, _) = await LoadedAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            await foreach (var update in client.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)))
            {
                client.Dispose();
            }
        }).WaitAsync(Chat.Patience);
    }

    [Fact]
    public async Task CL06_disposing_while_calls_come_in_ends_every_one_of_them()
    {
        for (var round = 0; round < 10; round++)
        {
            var (client, _) = await LoadedAsync();
            var calls = Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
            {
                try
                {
                    while (true)
                    {
                        await client.GetResponseAsync(Hello, Chat.Greedy(1 + i));
                    }
                }
                catch (ObjectDisposedException)
                {
                    return true;
                }
            })).ToArray();
            await client.GetResponseAsync(Hello, Chat.Greedy(1 + round));
            client.Dispose();
            Assert.All(await Task.WhenAll(calls).WaitAsync(Chat.Patience), Assert.True);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task CL06_disposing_while_the_model_loads_ends_those_who_wait_and_keeps_nothing(double fraction)
    {
        var client = Client();
        using var reached = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var loading = client.LoadAsync(new Reporter(progress =>
        {
            if (progress.Fraction >= fraction)
            {
                reached.Set();
                goOn.Wait(Chat.Patience);
            }
        }));
        Assert.True(reached.Wait(Chat.Patience));
        var call = client.GetResponseAsync(Hello, Chat.Greedy(5));
        client.Dispose();
        goOn.Set();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => call).WaitAsync(Chat.Patience);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loading).WaitAsync(Chat.Patience);
        Assert.Null(client.GetService<LlmEngine>());
    }

    [Fact]
    public async Task CL08_disposing_one_of_two_models_leaves_the_other_as_it_was()
    {
        using var otherModel = TinyModel.Create(new() { Seed = 2, EndsItself = false });
        var (a, _) = await LoadedAsync();
        using var b = new KvPrefetchChatClient(Chat.Options(otherModel));
        var expected = (await b.GetResponseAsync(Hello, Chat.Greedy(200))).Text;
        await using var streaming = await Chat.StartedAsync(a.GetStreamingResponseAsync(Hello, Chat.Greedy(Long)));
        var running = b.GetResponseAsync(Hello, Chat.Greedy(200));
        a.Dispose();
        Assert.Equal(expected, (await running).Text);
        Assert.Equal(expected, (await b.GetResponseAsync(Hello, Chat.Greedy(200))).Text);
    }

    [Fact]
    public async Task CL10_a_caller_that_blocks_its_synchronization_context_does_not_hang()
    {
        var client = Client();
        var answer = new TaskCompletionSource<string>();
        var thread = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new NeverRuns());
            try
            {
#pragma warning disable xUnit1031, MA0045 // blocking is what is tested
                answer.SetResult(client.GetResponseAsync(Hello, Chat.Greedy(5)).Result.Text);
#pragma warning restore xUnit1031, MA0045
            }
            catch (Exception e)
            {
                answer.SetException(e);
            }
        });
        thread.Start();
        Assert.NotNull(await answer.Task.WaitAsync(Chat.Patience));
    }

    [Fact]
    public async Task CL10_callers_that_block_all_threads_of_the_pool_do_not_hang()
    {
        var client = Client();
        ThreadPool.GetMinThreads(out var threads, out _);
#pragma warning disable xUnit1031, MA0045 // blocking is what is tested
        var calls = Enumerable.Range(0, (2 * threads) + 4).Select(_ => Task.Run(() => client.GetResponseAsync(Hello, Chat.Greedy(5)).Result.Text)).ToArray();
#pragma warning restore xUnit1031, MA0045
        var answers = await Task.WhenAll(calls).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Single(answers.Distinct(StringComparer.Ordinal));
    }

    private sealed class NeverRuns : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }

        public override void Send(SendOrPostCallback d, object? state)
        {
        }
    }

    private sealed class Reporter(Action<ModelLoadProgress> report) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value) => report(value);
    }
}
