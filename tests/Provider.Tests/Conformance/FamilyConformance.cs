using KvPrefetch.AI;
using KvPrefetch.Tests.Provider.ToolCalls;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.Conformance;

/// <summary>Random weights that write as one family does.</summary>
public abstract class FamilyConformance : ChatClientConformance, IDisposable
{
    protected const string Turns =
        "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

    private readonly TinyModel _model;
    private readonly KvPrefetchChatClient _client;

    protected FamilyConformance(string template, params string[] tags)
    {
        _model = TinyModel.Create(new() { ChatTemplate = template, ContextLength = 4096, Std = 0.02 });
        AddedTags.Write(_model.Path, tags);
        _client = new KvPrefetchChatClient(Chat.Options(_model));
    }

    protected override IChatClient Client => _client;

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
        GC.SuppressFinalize(this);
    }
}

public sealed class HermesConformance() : FamilyConformance("{# <tool_call> #}" + Turns, "<tool_call>", "</tool_call>");

public sealed class ThinkingHermesConformance() : FamilyConformance("{# <tool_call> #}" + Turns + "<think>\n", "<tool_call>", "</tool_call>", "<think>", "</think>");

public sealed class CoderConformance() : FamilyConformance("{# <tool_call><function=><parameter=> #}" + Turns, "<tool_call>", "</tool_call>");

public sealed class LlamaConformance() : FamilyConformance("{# <|python_tag|> #}" + Turns, "<|python_tag|>");

public sealed class MistralConformance() : FamilyConformance("{# [TOOL_CALLS][ARGS] #}" + Turns, "[TOOL_CALLS]", "[ARGS]");

public sealed class GlmConformance() : FamilyConformance("{# <arg_key> #}" + Turns, "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>");

public sealed class HarmonyConformance()
    : FamilyConformance("{# <|channel|><|message|> #}" + Turns, "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>");

/// <summary>Functionary 3.2: lines that say whom a message is for, text's too.</summary>
public sealed class RecipientConformance() : FamilyConformance("{# >>>all #}" + Turns + ">>>");

/// <summary>A template that knows no tools: our section.</summary>
public sealed class SectionConformance() : FamilyConformance(TinyModel.ChatMl);
