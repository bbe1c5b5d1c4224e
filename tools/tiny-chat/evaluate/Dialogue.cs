using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.AI;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>One conversation with the model: greedy, everything through <see cref="IChatClient"/>.</summary>
/// <param name="client">The model.</param>
/// <param name="isEnforced">False: tools and formats are shown, and no grammar holds the model to them.</param>
internal sealed class Dialogue(IChatClient client, bool isEnforced)
{
    private const int MaxTokens = 256;
    private readonly List<ChatMessage> _history = [];

    /// <summary>The functions that may be called.</summary>
    public IReadOnlyList<AIFunctionDeclaration> Tools { get; set; } = [];

    /// <summary>The form of the text; null leaves it free.</summary>
    public ChatResponseFormat? Format { get; set; }

    /// <summary>Says it for the system, at the start.</summary>
    public void System(string text) => _history.Add(new ChatMessage(ChatRole.System, text));

    /// <summary>Puts a question, a call and its result into the past, so that the next answer is about the result.</summary>
    public async Task<Reply> AfterCallAsync(string question, string function, Dictionary<string, object?> arguments, object result)
    {
        var id = string.Create(CultureInfo.InvariantCulture, $"call_{_history.Count}");
        _history.Add(new ChatMessage(ChatRole.User, question));
        _history.Add(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent(id, function, arguments)]));
        _history.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(id, result)]));
        return await AnswerAsync();
    }

    /// <summary>Says something and takes the answer.</summary>
    public Task<Reply> AskAsync(string text)
    {
        _history.Add(new ChatMessage(ChatRole.User, text));
        return AnswerAsync();
    }

    /// <summary>Everything that was said, for people.</summary>
    public string Transcript()
    {
        var text = new StringBuilder();
        foreach (var message in _history)
        {
            foreach (var content in message.Contents)
            {
                text.Append("    ").Append(message.Role.Value).Append(": ").AppendLine(content switch
                {
                    TextContent said => said.Text,
                    FunctionCallContent call => $"[{call.Name} {JsonSerializer.Serialize(call.Arguments, AIJsonUtilities.DefaultOptions)}{(call.Exception is null ? "" : " " + call.Exception.Message)}]",
                    FunctionResultContent result => $"[-> {result.Result}]",
                    ErrorContent error => $"[{error.ErrorCode}: {error.Details}]",
                    _ => content.GetType().Name,
                });
            }
        }

        return text.ToString();
    }

    private async Task<Reply> AnswerAsync()
    {
        var options = new ChatOptions { Temperature = 0, MaxOutputTokens = MaxTokens, Tools = Tools.Count == 0 ? null : [.. Tools], ResponseFormat = Format };
        if (!isEnforced)
        {
            options.RawRepresentationFactory = _ => new KvPrefetchChatOptions { IsUnenforced = true };
        }

        var response = await client.GetResponseAsync(_history, options);
        _history.AddMessages(response);
        var contents = response.Messages.SelectMany(m => m.Contents).ToList();
        return new Reply(response.Text.Trim(), [.. contents.OfType<FunctionCallContent>()], contents.OfType<ErrorContent>().Any(), response.FinishReason == ChatFinishReason.Length);
    }
}

/// <summary>What the model said.</summary>
/// <param name="Text">Without white space around.</param>
/// <param name="Calls">In order.</param>
/// <param name="IsBroken">Something that began as a call cannot be read.</param>
/// <param name="IsCut">It did not come to an end.</param>
internal sealed record Reply(string Text, IReadOnlyList<FunctionCallContent> Calls, bool IsBroken, bool IsCut);
