using System.Collections.Concurrent;
using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A model's tokenizer: text to ids and back, as the reference library (Hugging Face tokenizers) gives them. Safe for concurrent use.</summary>
/// <example><code>
/// var tokenizer = Tokenizer.Load("models/SmolLM2-135M-Instruct");
/// int[] ids = tokenizer.Encode("Hello world");
/// string text = tokenizer.Decode(ids);
/// int count = tokenizer.CountTokens("How long is this?");
/// </code></example>
public sealed class Tokenizer
{
    private const string FileName = "tokenizer.json";
    private const string SentencePieceName = "tokenizer.model";

    private readonly TokenModel _model;
    private readonly Normalizer? _normalizer;
    private readonly PreTokenizer? _preTokenizer;
    private readonly PostProcessor _postProcessor;
    private readonly AddedVocabulary _added;
    private readonly DecodePipeline _decoder;
    private readonly ConcurrentBag<EncodeState> _states = [];

    internal Tokenizer(TokenizerParts parts)
    {
        _model = parts.Model;
        _normalizer = parts.Normalizer;
        _preTokenizer = parts.PreTokenizer;
        _postProcessor = parts.PostProcessor;
        _added = parts.Added;
        _decoder = parts.Decoding;
    }

    /// <summary>Reads tokenizer.json of the folder, or else its tokenizer.model (SentencePiece); null where it has neither.</summary>
    /// <param name="folder">A model folder.</param>
    /// <exception cref="TokenizerFormatException">The file cannot be used.</exception>
    /// <exception cref="UnsupportedModelException">The file asks for something that is not supported.</exception>
    public static Tokenizer? TryLoad(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var path = Path.Combine(folder, FileName);
        if (File.Exists(path))
        {
            return Parse(TokenizerFile.Read(path));
        }

        path = Path.Combine(folder, SentencePieceName);
        return File.Exists(path) ? new Tokenizer(SentencePieceLoader.Read(path)) : null;
    }

    /// <summary>Reads tokenizer.json of the folder, or else its tokenizer.model (SentencePiece).</summary>
    /// <param name="folder">A model folder.</param>
    /// <exception cref="TokenizerFormatException">There is none, or it cannot be used.</exception>
    /// <exception cref="UnsupportedModelException">The file asks for something that is not supported.</exception>
    public static Tokenizer Load(string folder)
        => TryLoad(folder) ?? throw TokenizerErrors.Format("TokenizerMissing", $"The folder '{TokenizerErrors.Shown(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)))}' has neither {FileName} nor {SentencePieceName}.");

    internal static Tokenizer Parse(byte[] json) => new(TokenizerLoader.Load(json));

    /// <summary>Highest id plus one, added tokens included.</summary>
    public int VocabularySize => _added.IdLimit;

    /// <summary>Ids of a text in which added tokens (control tokens too) are recognised, as the reference library does. Lone surrogates count as U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Puts the model's own tokens around it (BOS, CLS and so on), where its post-processor says so.</param>
    public int[] Encode(string text, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var state = Rent();
        try
        {
            EncodeText(WithoutLoneSurrogates(text), default, state);
            return addSpecialTokens ? _postProcessor.Apply(state.Ids.Span) : state.Ids.Span.ToArray();
        }
        finally
        {
            Return(state);
        }
    }

    /// <summary>Ids of a rendered prompt: added tokens are recognised in template text only, everything else is tokenized as one running text.</summary>
    /// <param name="spans">The prompt's pieces in order.</param>
    public int[] Encode(IReadOnlyList<TextSpan> spans)
    {
        ArgumentNullException.ThrowIfNull(spans);
        var length = 0;
        foreach (var span in spans)
        {
            length = checked(length + span.Text.Length);
        }

        var text = new char[length];
        var taint = new byte[length];
        var at = 0;
        foreach (var span in spans)
        {
            span.Text.CopyTo(text.AsSpan(at));
            taint.AsSpan(at, span.Text.Length).Fill(span.Provenance == Provenance.Template ? (byte)0 : (byte)1);
            at += span.Text.Length;
        }

        ReplaceLoneSurrogates(text);
        var state = Rent();
        try
        {
            EncodeText(text, taint, state);
            return state.Ids.Span.ToArray();
        }
        finally
        {
            Return(state);
        }
    }

    /// <summary>Text of ids. Ids without a token give nothing.</summary>
    /// <param name="ids">Ids below <see cref="VocabularySize"/>.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is not of this vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var sink = new CollectStage();
        var first = _decoder.Start(sink);
        foreach (var id in ids)
        {
            _decoder.Push(id, skipSpecialTokens, first);
        }

        first.End();
        return Encoding.UTF8.GetString(sink.Bytes);
    }

    /// <summary>Number of tokens that <see cref="Encode(string, bool)"/> gives without special tokens.</summary>
    public int CountTokens(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var state = Rent();
        try
        {
            EncodeText(WithoutLoneSurrogates(text), default, state);
            return state.Ids.Count;
        }
        finally
        {
            Return(state);
        }
    }

    /// <summary>The id of a token (ordinary or added) by its exact text.</summary>
    public bool TryGetId(string token, out int id)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (!_added.TryGetId(token, out id))
        {
            id = _model.Vocabulary.Find(Encoding.UTF8.GetBytes(token));
        }

        return id >= 0;
    }

    /// <summary>What a token contributes to a text, in bytes: UTF-8, perhaps only a part of a character. Empty where the id names no token.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not of this vocabulary.</exception>
    public byte[] GetTokenText(int id)
    {
        var bytes = new CollectStage();
        _decoder.Push(id, skipSpecialTokens: false, bytes);
        return bytes.Bytes.ToArray();
    }

    /// <summary>The bytes that a token stands for within a text: markers of spaces and of single bytes resolved.</summary>
    internal byte[] GetTokenBytes(int id)
    {
        var text = GetTokenText(id);
        if (_decoder.LeavesBytes && text.Length == 6 && ByteFallbackDecoder.TryParse(text, out var value))
        {
            return [value];
        }

        return _decoder.LeavesSpaces && text.AsSpan().IndexOf("\u2581"u8) >= 0
            ? Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text).Replace('\u2581', ' '))
            : text;
    }

    /// <summary>True for tokens that are recognised in template text itself.</summary>
    internal bool IsAdded(int id) => _added.IsAdded(id);

    /// <summary>True for added tokens marked special.</summary>
    public bool IsSpecial(int id) => _added.IsSpecial(id);

    /// <summary>A detokenizer for one stream of ids.</summary>
    public StreamingDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => new(_decoder, skipSpecialTokens);

    private void EncodeText(ReadOnlySpan<char> text, ReadOnlySpan<byte> taint, EncodeState state)
    {
        state.Ids.Clear();
        var found = state.RawMatches;
        found.Clear();
        _added.Raw?.FindAll(text, taint, found);
        var at = 0;
        foreach (var match in found)
        {
            EncodeSegment(text, taint, at, match.Start, state);
            state.Ids.Add(match.Id);
            at = match.End;
        }

        EncodeSegment(text, taint, at, text.Length, state);
    }

    /// <summary>Text between added tokens: normalized, cut at normalized added tokens, then tokenized.</summary>
    private void EncodeSegment(ReadOnlySpan<char> text, ReadOnlySpan<byte> taint, int start, int end, EncodeState state)
    {
        if (start >= end)
        {
            return;
        }

        state.AtTextStart = start == 0;
        state.Text.Reset(tracksTaint: !taint.IsEmpty);
        state.Text.Append(text[start..end], taint.IsEmpty ? taint : taint[start..end]);
        _normalizer?.Apply(state);
        if (_added.Normalized is null)
        {
            EncodePieces(state);
            return;
        }

        var found = state.NormalizedMatches;
        found.Clear();
        _added.Normalized.FindAll(state.Text.Span, state.Text.Taint, found);
        if (found.Count == 0)
        {
            EncodePieces(state);
            return;
        }

        // The pre-tokenizers may rewrite their text, so each part gets its own.
        var normalized = state.Text.Span.ToString();
        var atStart = state.AtTextStart;
        var at = 0;
        foreach (var match in found)
        {
            EncodePart(normalized.AsSpan(at, Math.Max(0, match.Start - at)), atStart && at == 0, state);
            state.Ids.Add(match.Id);
            at = match.End;
        }

        EncodePart(normalized.AsSpan(at), atStart && at == 0, state);
    }

    private void EncodePart(ReadOnlySpan<char> text, bool atTextStart, EncodeState state)
    {
        state.AtTextStart = atTextStart;
        state.Text.Reset(tracksTaint: false);
        state.Text.Append(text);
        EncodePieces(state);
    }

    private void EncodePieces(EncodeState state)
    {
        if (state.Text.Length == 0)
        {
            return;
        }

        state.Pieces.Clear();
        state.Pieces.Add(0, state.Text.Length);
        _preTokenizer?.Apply(state);
        var text = state.Text.Span;
        foreach (var piece in state.Pieces.Span)
        {
            _model.Encode(text[piece.Start..piece.End], state);
        }
    }

    private EncodeState Rent() => _states.TryTake(out var state) ? state : new EncodeState();

    private void Return(EncodeState state)
    {
        if (_states.Count < Environment.ProcessorCount)
        {
            _states.Add(state);
        }
    }

    private static ReadOnlySpan<char> WithoutLoneSurrogates(string text)
    {
        if (!HasLoneSurrogate(text))
        {
            return text;
        }

        var copy = text.ToCharArray();
        ReplaceLoneSurrogates(copy);
        return copy;
    }

    private static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        while (true)
        {
            var at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
            if (at < 0)
            {
                return false;
            }

            if (at + 1 >= text.Length || !char.IsSurrogatePair(text[at], text[at + 1]))
            {
                return true;
            }

            text = text[(at + 2)..];
        }
    }

    private static void ReplaceLoneSurrogates(Span<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
            {
                i++;
            }
            else
            {
                text[i] = '\uFFFD';
            }
        }
    }
}
