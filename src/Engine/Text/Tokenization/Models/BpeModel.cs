namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>What a BPE is made of beside its vocabulary and merges.</summary>
internal sealed record BpeOptions
{
    public string? UnknownToken { get; init; }
    public string? ContinuingSubwordPrefix { get; init; }
    public string? EndOfWordSuffix { get; init; }
    public bool FuseUnknown { get; init; }
    public bool ByteFallback { get; init; }
    public bool IgnoreMerges { get; init; }

    /// <summary>The pieces are raw text and every UTF-8 byte is one symbol of the byte alphabet: the last step of a byte-level pre-tokenizer, done here.</summary>
    public bool BytesAreSymbols { get; init; }
}

/// <summary>Byte pair encoding over bytes (GPT-2 and after) or characters (SentencePiece style, with byte fallback).</summary>
internal sealed class BpeModel : TokenModel
{
    private const int NoId = -1;

    private readonly BpeOptions _options;
    private readonly MergeTable _merges;
    private readonly int _unknown = NoId;
    private readonly int[] _symbolOfByte = new int[256];
    private readonly int[] _fallbackOfByte = new int[256];

    // Of characters; null where bytes are the symbols.
    private readonly SymbolTable? _symbols;
    private readonly PairFilter? _pairs;

    public BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options)
        : base(vocabulary)
    {
        _merges = merges;
        _options = options;
        if (options.UnknownToken is { } unknown)
        {
            _unknown = vocabulary.Find(System.Text.Encoding.UTF8.GetBytes(unknown));
        }

        Span<byte> utf8 = stackalloc byte[8];
        for (var b = 0; b < 256; b++)
        {
            var length = System.Text.Encoding.UTF8.GetBytes([ByteAlphabet.ToChar((byte)b)], utf8);
            _symbolOfByte[b] = vocabulary.Find(utf8[..length]);
            length = System.Text.Encoding.UTF8.GetBytes($"<0x{b:X2}>", utf8);
            _fallbackOfByte[b] = vocabulary.Find(utf8[..length]);
        }

        _symbols = options.BytesAreSymbols ? null : new SymbolTable(vocabulary);
        var affixes = !string.IsNullOrEmpty(options.ContinuingSubwordPrefix) || !string.IsNullOrEmpty(options.EndOfWordSuffix);
        HasAffixes = affixes;
        if (!options.BytesAreSymbols && !options.IgnoreMerges && !affixes)
        {
            _pairs = new PairFilter(vocabulary);
        }
    }

    private bool HasAffixes { get; }

    public override void Encode(ReadOnlySpan<char> piece, EncodeState state)
    {
        if (_pairs is null)
        {
            EncodeWord(piece, state);
            return;
        }

        // No token holds this pair of characters, so nothing merges across: both sides are words of their own.
        var start = 0;
        var previous = -1;
        for (var i = 0; i < piece.Length;)
        {
            var codePoint = CodePoints.At(piece, i, out var length);
            if (previous >= 0 && !_pairs.MayMerge(previous, codePoint) && _symbols!.Find(previous) >= 0 && _symbols.Find(codePoint) >= 0)
            {
                EncodeWord(piece[start..i], state);
                start = i;
            }

            previous = codePoint;
            i += length;
        }

        EncodeWord(piece[start..], state);
    }

    protected override void EncodeUncached(ReadOnlySpan<char> word, EncodeState state)
    {
        ReadOnlySpan<byte> utf8 = state.Utf8Of(word);
        if (_options.IgnoreMerges && TryWhole(utf8, state))
        {
            return;
        }

        state.Bpe.Reserve(utf8.Length);
        var count = _options.BytesAreSymbols ? ByteSymbols(utf8, state.Bpe.Id) : HasAffixes ? AffixedSymbols(word, state) : CharacterSymbols(word, state.Bpe.Id);
        count = BpeMerger.Merge(state.Bpe, count, _merges);
        state.Ids.AddRange(state.Bpe.Id.AsSpan(0, count));
    }

    private bool TryWhole(ReadOnlySpan<byte> utf8, EncodeState state)
    {
        var id = NoId;
        if (_options.BytesAreSymbols)
        {
            if (utf8.Length <= 256)
            {
                Span<byte> mapped = stackalloc byte[512];
                var length = 0;
                foreach (var b in utf8)
                {
                    int c = ByteAlphabet.ToChar(b);
                    if (c >= 0x80)
                    {
                        mapped[length++] = (byte)(0xC0 | (c >> 6));
                        c = 0x80 | (c & 0x3F);
                    }

                    mapped[length++] = (byte)c;
                }

                id = Vocabulary.FindOrdinary(mapped[..length]);
            }
            else
            {
                id = FindLong(utf8);
            }
        }
        else
        {
            id = Vocabulary.FindOrdinary(utf8);
        }

        if (id < 0)
        {
            return false;
        }

        state.Ids.Add(id);
        return true;
    }

    private int FindLong(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > Vocabulary.LongestText)
        {
            return NoId;
        }

        var mapped = new char[utf8.Length];
        for (var i = 0; i < utf8.Length; i++)
        {
            mapped[i] = ByteAlphabet.ToChar(utf8[i]);
        }

        return Vocabulary.FindOrdinary(System.Text.Encoding.UTF8.GetBytes(mapped));
    }

    private int ByteSymbols(ReadOnlySpan<byte> utf8, Span<int> ids)
    {
        var symbols = new SymbolWriter(this, ids);
        Span<byte> mapped = stackalloc byte[2];
        foreach (var b in utf8)
        {
            var id = _symbolOfByte[b];
            if (id >= 0)
            {
                symbols.Known(id);
            }
            else
            {
                symbols.Missing(mapped[..System.Text.Encoding.UTF8.GetBytes([ByteAlphabet.ToChar(b)], mapped)]);
            }
        }

        return symbols.Finish();
    }

    private int CharacterSymbols(ReadOnlySpan<char> word, Span<int> ids)
    {
        var symbols = new SymbolWriter(this, ids);
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 0; i < word.Length;)
        {
            var codePoint = CodePoints.At(word, i, out var length);
            var id = _symbols!.Find(codePoint);
            if (id >= 0)
            {
                symbols.Known(id);
            }
            else
            {
                symbols.Missing(utf8[..System.Text.Encoding.UTF8.GetBytes(word.Slice(i, length), utf8)]);
            }

            i += length;
        }

        return symbols.Finish();
    }

    /// <summary>Symbols whose text carries the prefix of a continued word or the suffix of its end.</summary>
    private int AffixedSymbols(ReadOnlySpan<char> word, EncodeState state)
    {
        var prefix = _options.ContinuingSubwordPrefix ?? "";
        var suffix = _options.EndOfWordSuffix ?? "";
        state.Bpe.Reserve(checked(word.Length * (8 + (3 * (prefix.Length + suffix.Length)))));
        var symbols = new SymbolWriter(this, state.Bpe.Id);
        var text = new byte[checked(4 + (3 * (prefix.Length + suffix.Length)))];
        for (var i = 0; i < word.Length;)
        {
            _ = CodePoints.At(word, i, out var length);
            var used = i == 0 ? 0 : System.Text.Encoding.UTF8.GetBytes(prefix, text);
            used += System.Text.Encoding.UTF8.GetBytes(word.Slice(i, length), text.AsSpan(used));
            if (i + length == word.Length)
            {
                used += System.Text.Encoding.UTF8.GetBytes(suffix, text.AsSpan(used));
            }

            var id = Vocabulary.Find(text.AsSpan(0, used));
            if (id >= 0)
            {
                symbols.Known(id);
            }
            else
            {
                symbols.Missing(text.AsSpan(0, used));
            }

            i += length;
        }

        return symbols.Finish();
    }

    /// <summary>Collects the first symbols of a word; an unknown one waits, because the next may fuse with it and byte tokens may even come before it.</summary>
    private ref struct SymbolWriter(BpeModel model, Span<int> ids)
    {
        private readonly Span<int> _ids = ids;
        private int _count;
        private bool _unknownWaits;

        public void Known(int id)
        {
            FlushUnknown();
            _ids[_count++] = id;
        }

        public void Missing(scoped ReadOnlySpan<byte> utf8)
        {
            if (model._options.ByteFallback && AllBytesKnown(utf8))
            {
                foreach (var b in utf8)
                {
                    _ids[_count++] = model._fallbackOfByte[b];
                }

                return;
            }

            if (model._options.UnknownToken is null)
            {
                return;
            }

            if (model._unknown < 0)
            {
                throw MissingUnknownToken(model._options.UnknownToken);
            }

            if (!model._options.FuseUnknown)
            {
                FlushUnknown();
            }

            _unknownWaits = true;
        }

        public int Finish()
        {
            FlushUnknown();
            return _count;
        }

        private void FlushUnknown()
        {
            if (_unknownWaits)
            {
                _ids[_count++] = model._unknown;
                _unknownWaits = false;
            }
        }

        private readonly bool AllBytesKnown(scoped ReadOnlySpan<byte> utf8)
        {
            foreach (var b in utf8)
            {
                if (model._fallbackOfByte[b] < 0)
                {
                    return false;
                }
            }

            return true;
        }
    }
}
