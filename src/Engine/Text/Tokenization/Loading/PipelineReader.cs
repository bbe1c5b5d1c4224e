using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Builds pre-tokenizers, decoders and post-processors from their JSON.</summary>
internal static class PipelineReader
{
    private const string PreTokenizers = "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, UnicodeScripts, Whitespace, WhitespaceSplit";
    private const string Decoders = "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece";
    private const string PostProcessors = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing";

    /// <summary>The steps in order; sequences are flattened.</summary>
    /// <param name="element">The JSON, or null.</param>
    /// <param name="modelTakesBytes">The model wants raw text where the last step is byte-level.</param>
    /// <param name="endsInBytes">True where it gets that.</param>
    public static PreTokenizer? PreTokenizer(JsonElement? element, bool modelTakesBytes, out bool endsInBytes)
    {
        var parts = Flatten(element, "pretokenizers", "pre_tokenizer");
        endsInBytes = modelTakesBytes && parts.Count > 0 && JsonFields.Type(parts[^1], "pre_tokenizer") == "ByteLevel";
        var steps = new PreTokenizer[parts.Count];
        for (var i = 0; i < steps.Length; i++)
        {
            steps[i] = PreTokenizerStep(parts[i], mapBytes: i < steps.Length - 1 || !endsInBytes);
        }

        return steps.Length switch { 0 => null, 1 => steps[0], _ => new PreTokenizerSequence(steps) };
    }

    /// <summary>The steps of the decoder; none means that tokens are joined with spaces.</summary>
    public static List<TokenDecoder> Decoder(JsonElement? element)
        => element is null ? [new JoinDecoder()] : Flatten(element, "decoders", "decoder").ConvertAll(DecoderStep);

    public static PostProcessor PostProcessor(JsonElement? element)
    {
        var result = Tokenization.PostProcessor.None;
        foreach (var part in Flatten(element, "processors", "post_processor"))
        {
            result = result.Then(PostProcessorStep(part));
        }

        return result;
    }

    /// <summary>The parts of a component that may be a sequence of sequences. The depth of the JSON bounds the recursion.</summary>
    public static List<JsonElement> Flatten(JsonElement? element, string listName, string where)
    {
        var parts = new List<JsonElement>();
        if (element is { } root)
        {
            Collect(root);
        }

        return parts;

        void Collect(JsonElement part)
        {
            if (JsonFields.Type(part, where) != "Sequence")
            {
                parts.Add(part);
                return;
            }

            foreach (var child in JsonFields.Array(part, listName, where).EnumerateArray())
            {
                Collect(child);
            }
        }
    }

    public static Pattern Pattern(JsonElement element, string where)
    {
        var pattern = JsonFields.Required(element, "pattern", where);
        if (pattern.ValueKind == JsonValueKind.Object && pattern.TryGetProperty("String", out _))
        {
            var literal = JsonFields.String(pattern, "String", where + ".pattern");
            return literal.Length > 0 ? new LiteralPattern(literal) : new RegexPattern("", where);
        }

        var regex = JsonFields.String(pattern, "Regex", where + ".pattern");
        return KnownPatterns.Find(regex) ?? new RegexPattern(regex, where);
    }

    private static PreTokenizer PreTokenizerStep(JsonElement part, bool mapBytes)
    {
        const string Where = "pre_tokenizer";
        var type = JsonFields.Type(part, Where);
        switch (type)
        {
            case "ByteLevel":
                return new ByteLevelPreTokenizer(JsonFields.Bool(part, "add_prefix_space", Where), JsonFields.Bool(part, "use_regex", Where, absent: true), mapBytes);
            case "Digits":
                var individual = JsonFields.Bool(part, "individual_digits", Where);
                return new SplitPreTokenizer(new ClassPattern(CodePointFlags.Numeric), individual ? SplitBehavior.Isolated : SplitBehavior.Contiguous, invert: false);
            case "Split":
                return new SplitPreTokenizer(Pattern(part, Where), Behavior(part, Where), JsonFields.Bool(part, "invert", Where));
            case "Punctuation":
                return new SplitPreTokenizer(
                    new ClassPattern(CodePointFlags.Punctuation),
                    JsonFields.Has(part, "behavior", Where, out _) ? Behavior(part, Where) : SplitBehavior.Isolated,
                    invert: false);
            case "BertPreTokenizer":
                return new PreTokenizerSequence(
                [
                    new SplitPreTokenizer(new ClassPattern(CodePointFlags.Space), SplitBehavior.Removed, invert: false),
                    new SplitPreTokenizer(new ClassPattern(CodePointFlags.Punctuation), SplitBehavior.Isolated, invert: false),
                ]);
            case "WhitespaceSplit":
                return new SplitPreTokenizer(new ClassPattern(CodePointFlags.Space), SplitBehavior.Removed, invert: false);
            case "Whitespace":
                return new SplitPreTokenizer(new WordsPattern(), SplitBehavior.Removed, invert: true);
            case "CharDelimiterSplit" or "Delimiter":
                return new SplitPreTokenizer(new LiteralPattern(JsonFields.Character(part, "delimiter", Where)), SplitBehavior.Removed, invert: false);
            case "Metaspace":
                var (replacement, scheme) = Metaspace(part, Where);
                return new MetaspacePreTokenizer(replacement, scheme, JsonFields.Bool(part, "split", Where, absent: true));
            case "UnicodeScripts":
                return new UnicodeScriptsPreTokenizer();
            case "FixedLength":
                var length = JsonFields.Int(part, "length", Where, absent: 5);
                return length > 0 ? new FixedLengthPreTokenizer(length) : throw JsonFields.Wrong("length", Where, "is 0");
            default:
                throw TokenizerErrors.Unsupported(Where, type, PreTokenizers);
        }
    }

    private static SplitBehavior Behavior(JsonElement part, string where)
    {
        var name = JsonFields.String(part, "behavior", where);
        return name switch
        {
            "Removed" => SplitBehavior.Removed,
            "Isolated" => SplitBehavior.Isolated,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            _ => throw TokenizerErrors.Unsupported(where + ".behavior", name, "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous"),
        };
    }

    /// <summary>The character and when it is put before a text, in the old form (<c>add_prefix_space</c>) and the new one (<c>prepend_scheme</c>).</summary>
    private static (string Replacement, PrependScheme Scheme) Metaspace(JsonElement part, string where)
    {
        var replacement = JsonFields.Character(part, "replacement", where);
        var name = JsonFields.OptionalString(part, "prepend_scheme", where);
        var scheme = name switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw TokenizerErrors.Unsupported(where + ".prepend_scheme", name, "always, first, never"),
        };
        if (!JsonFields.Bool(part, "add_prefix_space", where, absent: true))
        {
            if (name is not null && scheme != PrependScheme.Never)
            {
                throw JsonFields.Wrong("add_prefix_space", where, $"is false, but prepend_scheme is '{name}'");
            }

            scheme = PrependScheme.Never;
        }

        return (replacement, scheme);
    }

    private static TokenDecoder DecoderStep(JsonElement part)
    {
        const string Where = "decoder";
        var type = JsonFields.Type(part, Where);
        return type switch
        {
            "ByteLevel" => new ByteLevelDecoder(),
            "Fuse" => new FuseDecoder(),
            "ByteFallback" => new ByteFallbackDecoder(),
            "Strip" => new StripDecoder(JsonFields.Character(part, "content", Where), JsonFields.Int(part, "start", Where), JsonFields.Int(part, "stop", Where)),
            "Metaspace" => Metaspace(part, Where) is var (replacement, scheme) ? new MetaspaceDecoder(replacement, scheme != PrependScheme.Never) : null!,
            "WordPiece" => new WordPieceDecoder(JsonFields.String(part, "prefix", Where), JsonFields.Bool(part, "cleanup", Where)),
            "BPEDecoder" => new SuffixDecoder(JsonFields.String(part, "suffix", Where)),
            "Replace" => new ReplaceDecoder(Pattern(part, Where), JsonFields.String(part, "content", Where)),
            _ => throw TokenizerErrors.Unsupported(Where, type, Decoders),
        };
    }

    private static PostProcessor PostProcessorStep(JsonElement part)
    {
        const string Where = "post_processor";
        var type = JsonFields.Type(part, Where);
        switch (type)
        {
            case "ByteLevel":
                return Tokenization.PostProcessor.None;
            case "BertProcessing" or "RobertaProcessing":
                return new PostProcessor([PairId(part, "cls"), Tokenization.PostProcessor.Text, PairId(part, "sep")]);
            case "TemplateProcessing":
                return Template(part);
            default:
                throw TokenizerErrors.Unsupported(Where, type, PostProcessors);
        }
    }

    private static int PairId(JsonElement part, string name)
    {
        var pair = JsonFields.Array(part, name, "post_processor");
        return pair.GetArrayLength() == 2 ? JsonFields.Number(pair[1], name, "post_processor") : throw JsonFields.Wrong(name, "post_processor", "is not a pair of a token and its id");
    }

    private static PostProcessor Template(JsonElement part)
    {
        const string Where = "post_processor";
        var special = JsonFields.Required(part, "special_tokens", Where);
        var items = new List<int>();
        foreach (var piece in JsonFields.Array(part, "single", Where).EnumerateArray())
        {
            if (JsonFields.Has(piece, "Sequence", Where + ".single", out var sequence))
            {
                if (JsonFields.String(sequence, "id", Where + ".single") != "A")
                {
                    throw JsonFields.Wrong("single", Where, "asks for a second text");
                }

                items.Add(Tokenization.PostProcessor.Text);
                continue;
            }

            var id = JsonFields.String(JsonFields.Required(piece, "SpecialToken", Where + ".single"), "id", Where + ".single");
            var token = JsonFields.Required(special, id, Where + ".special_tokens");
            foreach (var value in JsonFields.Array(token, "ids", Where + ".special_tokens").EnumerateArray())
            {
                items.Add(JsonFields.Number(value, "ids", Where + ".special_tokens"));
            }
        }

        return new PostProcessor(items);
    }
}
