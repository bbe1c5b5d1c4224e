using System.Text;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Samples.StreamingChat;

const int Answered = 0, AnswerFailed = 1, WrongOptions = 2, NoModel = 3, Interrupted = 130;

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
ChatArguments arguments;
try
{
    arguments = ChatArguments.Parse(args);
}
catch (OptionException wrong)
{
    Terminal.Failure(wrong.Message);
    return WrongOptions;
}

if (arguments.Help)
{
    Console.Out.WriteLine(ChatArguments.HelpText);
    return Answered;
}

if (arguments.Describe)
{
    try
    {
        foreach (var line in Description.Lines(LlmEngine.Describe(arguments.Model, Terminal.Failure)))
        {
            Console.Out.WriteLine(line);
        }

        return Answered;
    }
    catch (Exception error) when (error is KvPrefetchException or IOException or UnauthorizedAccessException)
    {
        Terminal.Failure(error.Message);
        return NoModel;
    }
}

using var interrupt = new Interrupt();
LlmEngine? loaded = null;
try
{
    if (!await interrupt.RunAsync(token => Task.Run(() => loaded = Load(arguments, token), token)))
    {
        return Interrupted;
    }
}
catch (Exception error) when (error is KvPrefetchException or IOException or UnauthorizedAccessException)
{
    Terminal.Failure(error.Message);
    return NoModel;
}

using var engine = loaded!;
if (WhatIsMissing(engine, arguments) is { } missing)
{
    Terminal.Failure(missing);
    return WrongOptions;
}

var byTokens = arguments.Raw || arguments.Ids || arguments.PromptIds is not null;
using var client = byTokens ? null : new KvPrefetchChatClient(engine);
IAnswers answers = client is null ? new TokenAnswers(engine, arguments) : new ChatAnswers(client, engine, arguments);
if (arguments.Prompt is not null || arguments.PromptIds is not null)
{
    return await AnswerAsync(arguments.Prompt ?? string.Empty);
}

if (Terminal.IsInteractive)
{
    Terminal.Aside($"{engine.Model.Id} on {engine.Stats.Backend}, {engine.Stats.Threads} threads. Ctrl+C ends an answer, Ctrl+D the program.");
}

var result = Answered;
while (Terminal.ReadMessage() is { } message)
{
    if (!string.IsNullOrWhiteSpace(message))
    {
        var code = await AnswerAsync(message);
        result = code == Interrupted ? result : code;
    }
}

return Terminal.IsInteractive ? Answered : result;

async Task<int> AnswerAsync(string prompt)
{
    try
    {
        Figures? figures = null;
        var whole = await interrupt.RunAsync(async token => figures = await answers.AnswerAsync(prompt, token));
        Terminal.EndLine();
        if (!whole)
        {
            return Interrupted;
        }

        if (arguments.StatsAsJson)
        {
            await Console.Error.WriteLineAsync(figures!.ToJson());
        }
        else
        {
            Terminal.Aside(figures!.ToLine());
        }

        return Answered;
    }
    catch (Exception error) when (error is InvalidRequestException or ContextLengthExceededException or KvCapacityException)
    {
        Terminal.Failure(error.Message);
        return WrongOptions;
    }
    catch (KvPrefetchException error)
    {
        Terminal.Failure(error.Message);
        return AnswerFailed;
    }
}

static LlmEngine Load(ChatArguments arguments, CancellationToken cancellationToken) => Terminal.WithProgress(progress => LlmEngine.Load(
    arguments.Model,
    new EngineOptions { Backend = arguments.Backend, Arithmetic = arguments.Arithmetic, Weights = arguments.Weights, WeightsCache = arguments.WeightsCache, Threads = arguments.Threads ?? 0, Log = arguments.StatsAsJson ? null : Terminal.Failure },
    progress,
    cancellationToken));

static string? WhatIsMissing(LlmEngine engine, ChatArguments arguments)
{
    var textIn = arguments.PromptIds is null;
    if (engine.Tokenizer is null && (textIn || !arguments.Ids))
    {
        return "The folder has no tokenizer.json: it can be used with --prompt-ids together with --ids only.";
    }

    return engine.ChatTemplate is null && textIn && !arguments.Raw ? "The model has no chat template: use --raw to continue a text." : null;
}
