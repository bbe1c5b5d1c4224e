using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads a SentencePiece tokenizer.model (BPE or unigram) into the parts that the same tokenizer has as tokenizer.json.</summary>
internal static class SentencePieceLoader
{
    private const string Metaspace = "\u2581";
    private const int Unknown = 2, Control = 3, UserDefined = 4, Byte = 6;
    private const int Unigram = 1, Bpe = 2;

    public static TokenizerParts Read(string path)
    {
        var length = new FileInfo(path).Length;
        return length <= TokenizerFile.MaxBytes ? Parse(File.ReadAllBytes(path))
            : throw TokenizerErrors.Format("TooLarge", $"tokenizer.model has {length} bytes; the limit is {TokenizerFile.MaxBytes}.");
    }

    public static TokenizerParts Parse(ReadOnlySpan<byte> file)
    {
        var model = new Model();
        var reader = new ProtobufReader(file);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1:
                    model.AddPiece(reader.Bytes);
                    break;
                case 2:
                    model.ReadTrainer(reader.Bytes);
                    break;
                case 3:
                    model.ReadNormalizer(reader.Bytes);
                    break;
                default:
                    break;
            }
        }

        return model.Build();
    }

    private sealed class Model
    {
        private readonly Vocabulary _vocabulary = new(1024, 16 * 1024);
        private readonly List<double> _scores = [];
        private readonly List<int> _types = [];
        private readonly List<AddedToken> _added = [];
        private int _kind = Unigram;
        private int _bos = 1;
        private bool _byteFallback;
        private bool _prefix = true;
        private bool _removesExtraSpaces = true;
        private bool _escapes = true;
        private bool _prefixIsSuffix;
        private byte[] _charsmap = [];

        public void AddPiece(ReadOnlySpan<byte> message)
        {
            var reader = new ProtobufReader(message);
            ReadOnlySpan<byte> text = default;
            var score = 0f;
            var type = 1;
            while (reader.Read())
            {
                switch (reader.Field)
                {
                    case 1:
                        text = reader.Bytes;
                        break;
                    case 2:
                        score = reader.Float;
                        break;
                    case 3:
                        type = reader.Int;
                        break;
                    default:
                        break;
                }
            }

            var id = _scores.Count;
            if (text.IsEmpty || !System.Text.Unicode.Utf8.IsValid(text) || !float.IsFinite(score))
            {
                throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.model: piece {id} has no text in UTF-8 or no finite score.");
            }

            _vocabulary.TryAdd(text, id, keepsOld: true);
            _scores.Add(score);
            _types.Add(type);
            var content = Encoding.UTF8.GetString(text);
            if (type is Unknown or Control or UserDefined && content.Length <= AddedTokenMatcher.MaxContent)
            {
                _added.Add(new AddedToken(id, content, SingleWord: false, StripLeft: false, StripRight: false, Normalized: false, Special: type != UserDefined));
            }
        }

        public void ReadTrainer(ReadOnlySpan<byte> message)
        {
            var reader = new ProtobufReader(message);
            while (reader.Read())
            {
                switch (reader.Field)
                {
                    case 3:
                        _kind = reader.Int;
                        break;
                    case 24:
                        _prefixIsSuffix = reader.Bool;
                        break;
                    case 35:
                        _byteFallback = reader.Bool;
                        break;
                    case 41:
                        _bos = reader.Int;
                        break;
                    default:
                        break;
                }
            }
        }

        public void ReadNormalizer(ReadOnlySpan<byte> message)
        {
            var reader = new ProtobufReader(message);
            while (reader.Read())
            {
                switch (reader.Field)
                {
                    case 2:
                        _charsmap = reader.Bytes.ToArray();
                        break;
                    case 3:
                        _prefix = reader.Bool;
                        break;
                    case 4:
                        _removesExtraSpaces = reader.Bool;
                        break;
                    case 5:
                        _escapes = reader.Bool;
                        break;
                    default:
                        break;
                }
            }
        }

        public TokenizerParts Build()
        {
            if (_scores.Count == 0)
            {
                throw TokenizerErrors.Format("InvalidVocabulary", "tokenizer.model holds no pieces.");
            }

            if (_kind is not (Unigram or Bpe) || _prefixIsSuffix || !_escapes)
            {
                throw TokenizerErrors.Unsupported("tokenizer.model", _kind is Unigram or Bpe ? "suffix or unescaped white space" : $"model type {_kind}", "unigram and BPE with white space as a prefix");
            }

            _vocabulary.Reserve(_added.Where(token => token.Special).Select(token => token.Id));
            var unknown = _types.IndexOf(Unknown);
            TokenModel model = _kind == Unigram
                ? new UnigramModel(_vocabulary, [.. _scores], unknown, _byteFallback)
                : new BpeModel(_vocabulary, Merges(), new BpeOptions { UnknownToken = unknown < 0 ? null : Encoding.UTF8.GetString(_vocabulary.Text(unknown)), FuseUnknown = true, ByteFallback = _byteFallback });
            TokenDecoder[] decoder =
            [
                new ReplaceDecoder(new LiteralPattern(Metaspace), " "),
                new ByteFallbackDecoder(),
                new FuseDecoder(),
                .. _prefix ? [new StripDecoder(" ", 1, 0)] : Array.Empty<TokenDecoder>(),
            ];
            var normalizer = Normalizer();
            var added = new AddedVocabulary(_added, normalizer, _vocabulary);
            return new TokenizerParts
            {
                Model = model,
                Normalizer = normalizer,
                PostProcessor = _kind == Bpe && _bos >= 0 && _bos < _types.Count && _types[_bos] == Control ? new PostProcessor([_bos, PostProcessor.Text]) : PostProcessor.None,
                Added = added,
                Decoding = new DecodePipeline(_vocabulary, added, decoder),
            };
        }

        private NormalizerSequence Normalizer()
        {
            var steps = new List<Normalizer>();
            if (_charsmap.Length > 0)
            {
                steps.Add(new PrecompiledNormalizer(_charsmap));
            }

            if (_removesExtraSpaces)
            {
                steps.Add(new StripNormalizer(left: true, right: true));
                steps.Add(new ReplaceNormalizer(new RegexPattern(" {2,}", "normalizer"), " "));
            }

            if (_prefix)
            {
                steps.Add(new PrependNormalizer(Metaspace));
            }

            steps.Add(new ReplaceNormalizer(new LiteralPattern(" "), Metaspace));
            return new NormalizerSequence([.. steps]);
        }

        /// <summary>SentencePiece merges whichever neighbours make the piece of the best score; so every division of a piece into two is a merge, ranked by the piece's score.</summary>
        private MergeTable Merges()
        {
            var order = Enumerable.Range(0, _scores.Count).Where(id => _types[id] is not (Unknown or Control or Byte)).OrderByDescending(id => _scores[id]).ToArray();
            var (pairs, merged, ranks) = (new List<ulong>(), new List<int>(), new List<int>());
            for (var rank = 0; rank < order.Length; rank++)
            {
                var text = _vocabulary.Text(order[rank]);
                // A piece longer than this is no piece that merging makes.
                for (var cut = 1; cut < text.Length && text.Length <= 1024; cut++)
                {
                    if ((text[cut] & 0xC0) != 0x80 && _vocabulary.Find(text[..cut]) is >= 0 and var left && _vocabulary.Find(text[cut..]) is >= 0 and var right)
                    {
                        pairs.Add(MergeTable.Key(left, right));
                        merged.Add(order[rank]);
                        ranks.Add(rank);
                    }
                }
            }

            return new MergeTable(new MergeList([.. pairs], [.. merged], [.. ranks]), _vocabulary);
        }
    }
}
