using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace KvPrefetch.Tests.Provider;

public sealed class RegistrationTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void The_concrete_client_and_IChatClient_are_one_singleton()
    {
        using var provider = new ServiceCollection().AddKvPrefetchChatClient(o => o.Model = _model.Path).BuildServiceProvider();
        var client = provider.GetRequiredService<KvPrefetchChatClient>();
        Assert.Same(client, provider.GetRequiredService<IChatClient>());
        Assert.Same(client, provider.GetRequiredService<KvPrefetchChatClient>());
    }

    [Fact]
    public void Keyed_clients_stand_apart_from_each_other_and_from_the_one_without_a_key()
    {
        using var provider = new ServiceCollection()
            .AddKvPrefetchChatClient("a", o => (o.Model, o.ModelId) = (_model.Path, "model-a"))
            .AddKvPrefetchChatClient("b", o => (o.Model, o.ModelId) = (_model.Path, "model-b"))
            .AddKvPrefetchChatClient(o => o.Model = _model.Path)
            .BuildServiceProvider();
        var a = provider.GetRequiredKeyedService<IChatClient>("a");
        Assert.Same(a, provider.GetRequiredKeyedService<KvPrefetchChatClient>("a"));
        Assert.NotSame(a, provider.GetRequiredKeyedService<IChatClient>("b"));
        Assert.Null(provider.GetKeyedService<IChatClient>("c"));
        Assert.Equal("model-a", a.GetService<ChatClientMetadata>()!.DefaultModelId);
        Assert.Equal("model-b", provider.GetRequiredKeyedService<IChatClient>("b").GetService<ChatClientMetadata>()!.DefaultModelId);
        Assert.Equal(Path.GetFileName(_model.Path), provider.GetRequiredService<IChatClient>().GetService<ChatClientMetadata>()!.DefaultModelId);
    }

    [Fact]
    public void Options_bind_from_a_configuration_section()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Chat:Model"] = _model.Path,
            ["Chat:ModelId"] = "bound",
            ["Chat:Threads"] = "2",
            ["Chat:ContextLength"] = "128",
            ["Chat:KvCacheBytes"] = "1000000000000",
            ["Chat:MaxBatchSequences"] = "3",
            ["Chat:MaxBatchTokens"] = "64",
            ["Chat:MaxQueue"] = "5",
            ["Chat:WarmUp"] = "Background",
        }).Build();
        using var provider = new ServiceCollection().AddKvPrefetchChatClient(configuration.GetSection("Chat")).BuildServiceProvider();
        var options = provider.GetRequiredService<IChatClient>().GetService<KvPrefetchOptions>()!;
        Assert.Equal(
            (_model.Path, "bound", 2, 128, 1_000_000_000_000, 3, 64, 5, WarmUpMode.Background),
            (options.Model, options.ModelId, options.Threads, options.ContextLength, options.KvCacheBytes, options.MaxBatchSequences, options.MaxBatchTokens, options.MaxQueue, options.WarmUp));
    }

    [Fact]
    public void A_second_registration_adds_to_the_options_of_the_first_and_makes_no_second_engine()
    {
        var services = new ServiceCollection().AddKvPrefetchChatClient(o => o.Model = "overwritten").AddKvPrefetchChatClient(o => o.Model = _model.Path);
        Assert.Single(services, s => s.ServiceType == typeof(EngineHost));
        Assert.Single(services, s => s.ServiceType == typeof(IHostedService) && s.ImplementationFactory?.Method.DeclaringType?.DeclaringType == typeof(KvPrefetchServiceCollectionExtensions));
        using var provider = services.BuildServiceProvider();
        Assert.Equal(_model.Path, provider.GetRequiredService<IChatClient>().GetService<KvPrefetchOptions>()!.Model);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Wrong_options_stop_the_host_at_its_start_with_a_message_that_says_what_to_do(bool keyed)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        void Configure(KvPrefetchOptions options) => (options.Model, options.MaxQueue) = ("", -1);
        _ = keyed ? builder.Services.AddKvPrefetchChatClient("fast", Configure) : builder.Services.AddKvPrefetchChatClient(Configure);
        using var host = builder.Build();
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Contains("Model: not set; give the path", error.Message, StringComparison.Ordinal);
        Assert.Contains("MaxQueue: -1", error.Message, StringComparison.Ordinal);
        Assert.Equal(keyed ? "fast" : "", error.OptionsName);
    }

    [Fact]
    public void Metadata_is_there_before_the_model_is_loaded()
    {
        using var client = new KvPrefetchChatClient(new KvPrefetchOptions { Model = _model.Path, ModelId = "tiny" });
        var metadata = client.GetService<ChatClientMetadata>()!;
        Assert.Equal("kvprefetch", metadata.ProviderName);
        Assert.Equal(new Uri(_model.Path), metadata.ProviderUri);
        Assert.Equal("tiny", metadata.DefaultModelId);
        Assert.Same(metadata, client.GetService<ChatClientMetadata>());
        Assert.Null(client.GetService<LlmEngine>());
    }

    [Fact]
    public void GetService_gives_what_it_has_and_nothing_for_a_key()
    {
        using var client = new KvPrefetchChatClient(new KvPrefetchOptions { Model = _model.Path });
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Same(client, client.GetService<KvPrefetchChatClient>());
        Assert.Same(client, client.GetService<object>());
        Assert.Equal(_model.Path, client.GetService<KvPrefetchOptions>()!.Model);
        Assert.Null(client.GetService<string>());
        Assert.Null(client.GetService<IChatClient>("key"));
        Assert.Null(client.GetService<ChatClientMetadata>("key"));
        Assert.Throws<ArgumentNullException>("serviceType", () => ((IChatClient)client).GetService(null!));
    }

    [Fact]
    public void A_clients_options_are_its_own_copy()
    {
        var options = new KvPrefetchOptions { Model = _model.Path, ModelId = "mine" };
        using var client = new KvPrefetchChatClient(options);
        options.ModelId = "changed";
        client.GetService<KvPrefetchOptions>()!.ModelId = "changed too";
        Assert.Equal("mine", client.GetService<KvPrefetchOptions>()!.ModelId);
    }

    [Fact]
    public void Wrong_options_are_refused_by_the_constructor()
    {
        Assert.Throws<OptionsValidationException>(() => new KvPrefetchChatClient(new KvPrefetchOptions { Model = "" }));
        Assert.Throws<ArgumentNullException>("options", () => new KvPrefetchChatClient((KvPrefetchOptions)null!));
        Assert.Throws<ArgumentNullException>("engine", () => new KvPrefetchChatClient((LlmEngine)null!));
    }
}
