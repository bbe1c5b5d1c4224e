using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Samples.StreamingChat;

/// <summary>Writes one answer to standard output, piece by piece, and says what it took. Keeps the conversation.</summary>
internal interface IAnswers
{
    Task<Figures> AnswerAsync(string prompt, CancellationToken cancellationToken);
}

/// <summary>The ordinary way: any <see cref="IChatClient"/>, streaming.</summary>
internal sealed class ChatAnswers(IChatClient client, LlmEngine engine, ChatArguments arguments) : IAnswers
{
    private readonly List<ChatMessage> _history = arguments.System is null ? [] : [new ChatMessage(ChatRole.System, arguments.System)];

    private readonly ChatOptions _options = new()
    {
        MaxOutputTokens = arguments.MaxTokens,
        Temperature = arguments.Temperature,
        TopP = arguments.TopP,
        Seed = arguments.Seed,
    };

    public async Task<Figures> AnswerAsync(string prompt, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        TimeSpan? first = null;
        var last = TimeSpan.Zero;
        var usage = new UsageDetails();
        var answer = new StringBuilder();
        var question = new ChatMessage(ChatRole.User, prompt);
        try
        {
            await foreach (var update in client.GetStreamingResponseAsync([.. _history, question], _options, cancellationToken))
            {
                first ??= watch.Elapsed;
                last = watch.Elapsed;
                answer.Append(update.Text);
                Terminal.Write(update.Text);
                foreach (var part in update.Contents.OfType<UsageContent>())
                {
                    usage.Add(part.Details);
                }
            }
        }
        finally
        {
            // What was said stays said, also where Ctrl+C cut it short; a question that failed is forgotten.
            if (answer.Length > 0)
            {
                _history.Add(question);
                _history.Add(new ChatMessage(ChatRole.Assistant, answer.ToString()));
            }
        }

        var firstToken = first ?? watch.Elapsed;
        return new Figures(engine.Stats, usage.InputTokenCount ?? 0, usage.OutputTokenCount ?? 0, firstToken, last - firstToken);
    }
}

/// <summary>Without the client: the engine takes token ids and gives token ids. For --raw, --prompt-ids and --ids.</summary>
internal sealed class TokenAnswers(LlmEngine engine, ChatArguments arguments) : IAnswers
{
    private readonly JsonArray _history = arguments.System is null ? [] : [Message("system", arguments.System)];

    public async Task<Figures> AnswerAsync(string prompt, CancellationToken cancellationToken)
    {
        var defaults = engine.Model.SamplingDefaults;
        await using var generation = engine.Submit(new GenerationRequest
        {
            Prompt = Encode(prompt),
            MaxOutputTokens = arguments.MaxTokens,
            Sampling = defaults with
            {
                Temperature = arguments.Temperature ?? defaults.Temperature,
                TopP = arguments.TopP ?? defaults.TopP,
                Seed = unchecked((ulong)(arguments.Seed ?? Random.Shared.NextInt64())),
            },
        });

        var answer = new StringBuilder();
        var separator = string.Empty;
        await foreach (var piece in generation.ReadAllAsync(cancellationToken))
        {
            answer.Append(piece.Text);
            if (!arguments.Ids)
            {
                Terminal.Write(piece.Text);
            }
            else if (piece.Token is { } id)
            {
                Terminal.Write(separator + id.ToString(CultureInfo.InvariantCulture));
                separator = ",";
            }
        }

        if (!arguments.Raw && arguments.PromptIds is null)
        {
            _history.Add((JsonNode)Message("user", prompt));
            _history.Add((JsonNode)Message("assistant", answer.ToString()));
        }

        return new Figures(engine.Stats, generation.PromptTokens, generation.GeneratedTokens, generation.TimeToFirstToken ?? TimeSpan.Zero, generation.DecodeTime);
    }

    private int[] Encode(string prompt)
    {
        if (arguments.PromptIds is { } ids)
        {
            return ids;
        }

        if (arguments.Raw)
        {
            return engine.Tokenizer!.Encode(prompt, addSpecialTokens: true);
        }

        var messages = (JsonArray)_history.DeepClone();
        messages.Add((JsonNode)Message("user", prompt));
        return engine.Tokenizer!.Encode(engine.ChatTemplate!.Render(messages));
    }

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
