using KvPrefetch.AI;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace KvPrefetch.Tests.Provider.Embedded;

/// <summary>The embedded model is found without a path.</summary>
public sealed class FindingTests
{
    [Fact]
    public void The_default_is_the_model_of_the_package_that_lies_beside_the_application()
    {
        var options = new KvPrefetchOptions();
        Assert.Equal((TinyChatModel.Name, TinyChatModel.Folder), (options.Model, options.Folder));
        Assert.Equal("tiny-chat", options.EffectiveModelId);
        KvPrefetchOptionsValidator.ThrowIfInvalid(options);
    }

    [Fact]
    public async Task One_line_registers_a_client_on_it()
    {
        await using var services = new ServiceCollection().AddTinyChat().AddTinyChat("small", o => o.ContextLength = 256).BuildServiceProvider();
        Assert.Equal("tiny-chat", services.GetRequiredService<IChatClient>().GetRequiredService<ChatClientMetadata>().DefaultModelId);
        Assert.Equal(256, services.GetRequiredKeyedService<IChatClient>("small").GetRequiredService<KvPrefetchOptions>().ContextLength);
    }
}
