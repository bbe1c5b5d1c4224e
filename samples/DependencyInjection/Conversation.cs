using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KvPrefetch.Samples.DependencyInjection;

/// <summary>Asks one question and ends the host. It knows IChatClient and the key, not what stands behind them.</summary>
internal sealed class Conversation([FromKeyedServices("assistant")] IChatClient chat, IConfiguration configuration, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var question = configuration["question"] ?? "What does prefetch do?";
        Console.WriteLine(question);
        await foreach (var update in chat.GetStreamingResponseAsync(question, new ChatOptions { MaxOutputTokens = 128 }, stoppingToken))
        {
            Console.Write(update.Text);
        }

        Console.WriteLine();
        lifetime.StopApplication();
    }
}
