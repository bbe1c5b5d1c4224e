using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Builds normalizers from their JSON.</summary>
internal static class NormalizerReader
{
    private const string Where = "normalizer";
    private const string Known = "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents";

    public static Normalizer? Read(JsonElement? element)
    {
        var steps = new List<Normalizer>();
        foreach (var part in PipelineReader.Flatten(element, "normalizers", Where))
        {
            steps.AddRange(Steps(part));
        }

        return steps.Count switch { 0 => null, 1 => steps[0], _ => new NormalizerSequence([.. steps]) };
    }

    private static IEnumerable<Normalizer> Steps(JsonElement part)
    {
        var type = JsonFields.Type(part, Where);
        return type switch
        {
            "NFC" => [new UnicodeNormalizer(compose: true, compatible: false)],
            "NFD" => [new UnicodeNormalizer(compose: false, compatible: false)],
            "NFKC" => [new UnicodeNormalizer(compose: true, compatible: true)],
            "NFKD" => [new UnicodeNormalizer(compose: false, compatible: true)],
            "Lowercase" => [new LowercaseNormalizer()],
            "StripAccents" => [new RemoveNormalizer(CodePointFlags.CombiningMark)],
            "Nmt" => [new NmtNormalizer()],
            "ByteLevel" => [new ByteLevelNormalizer()],
            "Strip" => [new StripNormalizer(JsonFields.Bool(part, "strip_left", Where), JsonFields.Bool(part, "strip_right", Where))],
            "Prepend" => [new PrependNormalizer(JsonFields.String(part, "prepend", Where))],
            "Replace" => [new ReplaceNormalizer(PipelineReader.Pattern(part, Where), JsonFields.String(part, "content", Where))],
            "Precompiled" => Precompiled(part),
            "BertNormalizer" or "Bert" => Bert(part),
            _ => throw TokenizerErrors.Unsupported(Where, type, Known),
        };
    }

    private static IEnumerable<Normalizer> Precompiled(JsonElement part)
    {
        var value = JsonFields.OptionalString(part, "precompiled_charsmap", Where);
        if (string.IsNullOrEmpty(value))
        {
            return [];
        }

        try
        {
            return [new PrecompiledNormalizer(Convert.FromBase64String(value))];
        }
        catch (FormatException e)
        {
            throw TokenizerErrors.Format("InvalidCharsmap", "tokenizer.json: normalizer.precompiled_charsmap is not base64.", e);
        }
    }

    private static List<Normalizer> Bert(JsonElement part)
    {
        var lowercase = JsonFields.Bool(part, "lowercase", Where);
        var steps = new List<Normalizer>();
        if (JsonFields.Bool(part, "clean_text", Where))
        {
            steps.Add(new BertCleanNormalizer());
        }

        if (JsonFields.Bool(part, "handle_chinese_chars", Where))
        {
            steps.Add(new ChineseSpacesNormalizer());
        }

        if (JsonFields.Bool(part, "strip_accents", Where, absent: lowercase))
        {
            steps.Add(new UnicodeNormalizer(compose: false, compatible: false));
            steps.Add(new RemoveNormalizer(CodePointFlags.NonspacingMark));
        }

        if (lowercase)
        {
            steps.Add(new LowercaseNormalizer());
        }

        return steps;
    }
}
