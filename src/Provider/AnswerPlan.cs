using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI;

/// <summary>What an answer needs besides the engine.</summary>
/// <param name="Request">To the engine; its stop strings are those of the format and of the caller.</param>
/// <param name="Format">How the model writes reasoning and calls.</param>
/// <param name="Prompt">The conversation as the model reads it.</param>
/// <param name="Tools">The functions.</param>
/// <param name="Reasoning">What is to become of reasoning.</param>
/// <param name="AfterReasoning">What the answer must match once reasoning is over.</param>
internal sealed record AnswerPlan(GenerationRequest Request, AnswerFormat Format, Prompt Prompt, ToolRequest Tools, ReasoningRequest Reasoning, Func<Grammar?> AfterReasoning)
{
    /// <param name="engine">Loaded.</param>
    /// <param name="format">How its model writes conversations.</param>
    /// <param name="asked">Options of the request, checked.</param>
    /// <param name="turns">From <see cref="PromptBuilder"/>; may be changed.</param>
    /// <param name="tools">The functions.</param>
    /// <param name="reasoning">What is to become of reasoning.</param>
    /// <param name="form">The form of the text.</param>
    public static AnswerPlan For(LlmEngine engine, PromptFormat format, KvPrefetchChatOptions asked, JsonArray turns, ToolRequest tools, ReasoningRequest reasoning, FormatRequest form)
    {
        if (form.Instruction is { } instruction)
        {
            ConversationShape.AppendSystem(turns, instruction);
        }

        var prompt = format.Write(turns, tools.Declarations, reasoning.Variables);
        var answers = format.Answers;
        if ((reasoning.Off || reasoning.MaxTokens == 0) && answers.OpensReasoning(prompt.Tail))
        {
            // This template opens it whatever is asked.
            prompt = prompt with { Tokens = [.. prompt.Tokens, .. answers.EncodeReasoningEnd()], Tail = "" };
        }

        var request = new GenerationRequest
        {
            Prompt = prompt.Tokens,
            Grammar = Constraint(mayReason: !reasoning.Off),
            CacheSalt = asked.CacheSalt,
            MaxOutputTokens = asked.MaxOutputTokens,
            Sampling = asked.ToSampling(engine.Model.SamplingDefaults),
            StopTokens = format.StopTokens,
            StopStrings = [.. (asked.StopSequences ?? []).Concat(format.StopStrings).Take(RequestOptions.MaxStopSequences)],
        };
        return new AnswerPlan(request, answers, prompt, tools, reasoning, () => Constraint(mayReason: false));

        Grammar? Constraint(bool mayReason) => asked.IsUnenforced ? null : format.Constraints.Of(prompt, tools, form, mayReason);
    }
}
