using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Turns ids into text one by one and never emits half a character. The parts, joined, are what <see cref="Tokenizer.Decode"/> gives for all ids. Not for concurrent use.</summary>
public sealed class StreamingDetokenizer
{
    private readonly DecodePipeline _pipeline;
    private readonly bool _skipSpecialTokens;
    private readonly CollectStage _sink = new();
    private readonly DecodeStage _first;
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();

    internal StreamingDetokenizer(DecodePipeline pipeline, bool skipSpecialTokens)
    {
        _pipeline = pipeline;
        _skipSpecialTokens = skipSpecialTokens;
        _first = pipeline.Start(_sink);
    }

    /// <summary>Text that became certain with this id; may be empty.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not of this vocabulary.</exception>
    public string Append(int id)
    {
        _pipeline.Push(id, _skipSpecialTokens, _first);
        return Take(flush: false);
    }

    /// <summary>What was held back, at the end.</summary>
    public string Flush()
    {
        _first.End();
        return Take(flush: true);
    }

    private string Take(bool flush)
    {
        var bytes = _sink.Bytes;
        var count = _utf8.GetCharCount(bytes, flush);
        var text = "";
        if (count > 0)
        {
            var chars = count <= 256 ? stackalloc char[count] : new char[count];
            text = new string(chars[.._utf8.GetChars(bytes, chars, flush)]);
        }
        else
        {
            _ = _utf8.GetChars(bytes, [], flush);
        }

        _sink.Clear();
        return text;
    }
}
