namespace KvPrefetch.AI.ToolCalls;

/// <summary>Takes an answer apart while it streams: reasoning, text, calls. Not for concurrent use.</summary>
internal abstract class AnswerReader
{
    /// <summary>Adds text.</summary>
    /// <param name="text">Never half a character.</param>
    /// <param name="parts">Receives what became certain.</param>
    public abstract void Append(string text, List<AnswerPart> parts);

    /// <summary>Adds one of the tokens of <see cref="AnswerFormat.Marks"/>.</summary>
    public abstract void AppendMark(string mark, List<AnswerPart> parts);

    /// <summary>No more comes.</summary>
    /// <param name="isWhole">False where the answer was cut by its length.</param>
    /// <param name="parts">Receives what was held back, and all calls.</param>
    public abstract void End(bool isWhole, List<AnswerPart> parts);

    /// <summary>True while what comes is reasoning.</summary>
    public abstract bool IsReasoning { get; }

    /// <summary>True once a call has begun.</summary>
    public abstract bool IsCalling { get; }
}
