// A generic host with a model in it: registered under a key, checked and loaded before the host starts, injected where it is used.
//   dotnet run --project samples/DependencyInjection -c Release -- [--model DIR] [--question TEXT]
// The same settings may come from the environment (model=DIR) or from appsettings.json ("model": "DIR").
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Samples.DependencyInjection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

var builder = Host.CreateApplicationBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("KvPrefetch", LogLevel.Information).AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
builder.Services.AddKvPrefetchChatClient("assistant", options =>
{
    options.Model = builder.Configuration["model"] ?? options.Model;
    options.ContextLength = 2048;
});
builder.Services.AddHostedService<Conversation>();

try
{
    using var host = builder.Build();
    await host.RunAsync();
    return 0;
}
catch (OptionsValidationException e)
{
    await Console.Error.WriteLineAsync($"{e.Message} Try --model DIR.");
    return 2;
}
catch (KvPrefetchException e)
{
    await Console.Error.WriteLineAsync($"The model cannot be loaded: {e.Message}");
    return 3;
}
