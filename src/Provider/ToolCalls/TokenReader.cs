using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Gives the tokens of an answer to its reader: those that mean something as marks, the others as text. Control tokens are no text, except within calls.</summary>
internal sealed class TokenReader(Tokenizer tokenizer, AnswerReader reader, IReadOnlyDictionary<int, string> marks)
{
    private readonly StreamingDetokenizer _detokenizer = tokenizer.CreateDetokenizer(skipSpecialTokens: false);

    public AnswerReader Answer => reader;

    public void Append(int token, List<AnswerPart> parts)
    {
        if (marks.TryGetValue(token, out var mark))
        {
            var text = _detokenizer.Append(token);
            if (text.EndsWith(mark, StringComparison.Ordinal))
            {
                Give(text[..^mark.Length], parts);
            }

            reader.AppendMark(mark, parts);
        }
        else if (reader.IsCalling || !tokenizer.IsSpecial(token))
        {
            Give(_detokenizer.Append(token), parts);
        }
    }

    public void End(bool isWhole, List<AnswerPart> parts)
    {
        Give(_detokenizer.Flush(), parts);
        reader.End(isWhole, parts);
    }

    private void Give(string text, List<AnswerPart> parts)
    {
        if (text.Length > 0)
        {
            reader.Append(text, parts);
        }
    }
}
