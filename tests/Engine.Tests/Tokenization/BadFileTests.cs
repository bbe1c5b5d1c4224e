using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>Malformed tokenizer.json: RELIABILITY.md, group TK.</summary>
public sealed class BadFileTests
{
    private static TokenizerFormatException Refused(string json, string code)
    {
        var error = Assert.Throws<TokenizerFormatException>(() => Json.Parse(json));
        Assert.Equal(code, error.Code);
        Assert.True(error.Message.Length < 500, error.Message);
        return error;
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\"")]
    [InlineData("{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}} x")]
    [InlineData("not json")]
    public void TK01_a_truncated_file_or_one_that_is_not_json_is_refused(string json) => Refused(json, "InvalidJson");

    [Fact]
    public void TK01_deep_nesting_is_refused_and_does_not_overflow_the_stack()
    {
        foreach (var name in new[] { "normalizer", "decoder", "added_tokens", "anything" })
        {
            Refused($"{{\"{name}\": " + new string('[', 100_000) + new string(']', 100_000) + "}", "InvalidJson");
        }
    }

    [Fact]
    public void TK01_a_file_beyond_the_limit_is_refused_without_being_read()
    {
        var folder = Directory.CreateTempSubdirectory("tokenizer");
        try
        {
            using (var file = File.Create(Path.Combine(folder.FullName, "tokenizer.json")))
            {
                file.SetLength(TokenizerFile.MaxBytes + 1);
            }

            Assert.Equal("TooLarge", Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.FullName)).Code);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_folder_without_a_tokenizer_is_no_error_for_TryLoad_and_one_for_Load()
    {
        var folder = Directory.CreateTempSubdirectory("tokenizer");
        Assert.Null(Tokenizer.TryLoad(folder.FullName));
        Assert.Equal("TokenizerMissing", Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.FullName)).Code);
        folder.Delete();
    }

    [Theory]
    [InlineData("{\"a\": 0, \"b\": 0}", "DuplicateId")]
    [InlineData("{\"a\": -1}", "InvalidVocabulary")]
    [InlineData("{\"a\": 4294967296}", "InvalidVocabulary")]
    [InlineData("{\"a\": 2000000000}", "InvalidVocabulary")]
    [InlineData("{\"a\": 1.5}", "InvalidVocabulary")]
    [InlineData("{\"a\": \"0\"}", "InvalidVocabulary")]
    [InlineData("[\"a\"]", "InvalidVocabulary")]
    [InlineData("7", "InvalidVocabulary")]
    public void TK02_ids_that_are_no_ids_are_refused(string vocab, string code) => Refused("{\"model\": {\"type\": \"BPE\", \"vocab\": " + vocab + ", \"merges\": []}}", code);

    [Fact]
    public void TK02_a_gap_between_ids_is_allowed_and_decodes_to_nothing()
    {
        var tokenizer = Json.Parse("{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0, \"b\": 5}, \"unk_token\": \"a\"}}");
        Assert.Equal(6, tokenizer.VocabularySize);
        Assert.Equal([5], tokenizer.Encode("b"));
        Assert.Equal("b", tokenizer.Decode([3, 5]));
    }

    [Theory]
    [InlineData("[\"a x\"]")]
    [InlineData("[\"a\"]")]
    [InlineData("[\"a b c\"]")]
    [InlineData("[[\"a\"]]")]
    [InlineData("[[\"a\", \"b\", \"c\"]]")]
    [InlineData("[[\"a\", 1]]")]
    [InlineData("[\"b a\"]")]
    [InlineData("[5]")]
    [InlineData("{}")]
    public void TK03_malformed_merges_are_refused(string merges) => Refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": " + merges + "}}", "InvalidMerge");

    [Theory]
    [InlineData("[\"a b\"]")]
    [InlineData("[[\"a\", \"b\"]]")]
    public void TK03_both_forms_of_merges_are_read(string merges)
        => Assert.Equal([2], Json.Parse("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": " + merges + "}}").Encode("ab"));

    [Fact]
    public void TK04_a_million_merges_of_one_pair_load_in_linear_time()
    {
        var json = "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"" + string.Concat(Enumerable.Repeat(", \"a b\"", 1_000_000)) + "]}}";
        var watch = Stopwatch.StartNew();
        Assert.Equal([2, 2], Json.Parse(json).Encode("abab"));
        Assert.True(watch.Elapsed.TotalSeconds < 20, watch.Elapsed.ToString());
    }

    [Theory]
    [InlineData("model", "{\"type\": \"Magic\", \"vocab\": {}}")]
    [InlineData("normalizer", "{\"type\": \"Magic\"}")]
    [InlineData("pre_tokenizer", "{\"type\": \"Magic\"}")]
    [InlineData("post_processor", "{\"type\": \"Magic\"}")]
    [InlineData("decoder", "{\"type\": \"Magic\"}")]
    public void TK05_an_unknown_type_is_named(string field, string value)
    {
        var error = Assert.Throws<UnsupportedModelException>(() => Json.ByteLevel().With(field, JsonNode.Parse(value)).Load());
        Assert.Contains("Magic", error.Message, StringComparison.Ordinal);
        Assert.Contains("supported are", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CTC_and_dropout_are_refused_by_name()
    {
        Assert.Contains("CTC", Assert.Throws<UnsupportedModelException>(() => Json.ByteLevel().With("decoder", JsonNode.Parse("{\"type\": \"CTC\"}")).Load()).Message, StringComparison.Ordinal);
        Assert.Equal("model.dropout", Assert.Throws<UnsupportedModelException>(() => Json.ByteLevel().With("model.dropout", 0.1).Load()).Field);
    }

    [Theory]
    [InlineData("normalizer", "normalizers")]
    [InlineData("pre_tokenizer", "pretokenizers")]
    [InlineData("decoder", "decoders")]
    [InlineData("post_processor", "processors")]
    public void TK06_sequences_in_sequences_have_a_depth_limit(string field, string list)
    {
        var nested = string.Concat(Enumerable.Repeat($"{{\"type\": \"Sequence\", \"{list}\": [", 10_000)) + string.Concat(Enumerable.Repeat("]}", 10_000));
        Refused("{\"" + field + "\": " + nested + ", \"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}", "InvalidJson");
    }

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("a{2147483647}")]
    [InlineData("((ab){1000}){1000}")]
    [InlineData("*a")]
    [InlineData("\\p{Nonsense}")]
    [InlineData("(a)\\1")]
    [InlineData("(?<=a+)b")]
    [InlineData("[z-a]")]
    [InlineData("\\")]
    [InlineData("\\x{110000}")]
    public void TK07_an_invalid_or_exploding_pattern_is_refused(string pattern) => Assert.Equal("InvalidPattern", Assert.Throws<TokenizerFormatException>(() => WithPattern(pattern)).Code);

    [Fact]
    public void TK07_deeply_nested_patterns_are_refused()
    {
        Assert.Equal("InvalidPattern", Assert.Throws<TokenizerFormatException>(() => WithPattern(new string('(', 20_000))).Code);
        Assert.Equal("InvalidPattern", Assert.Throws<TokenizerFormatException>(() => WithPattern(new string('[', 20_000))).Code);
        Assert.Equal("InvalidPattern", Assert.Throws<TokenizerFormatException>(() => WithPattern("a" + new string('*', 20_000))).Code);
    }

    [Theory]
    [InlineData("(a+)+$")]
    [InlineData("(a|a)*b")]
    [InlineData("(a*)*b")]
    public void TK07_a_pattern_that_runs_wild_ends_with_an_error_in_time(string pattern)
    {
        var tokenizer = WithPattern(pattern);
        var watch = Stopwatch.StartNew();
        Assert.Equal("PatternBudget", Assert.Throws<TokenizerFormatException>(() => tokenizer.Encode(new string('a', 5000) + "!")).Code);
        Assert.True(watch.Elapsed.TotalSeconds < 10, watch.Elapsed.ToString());
        Assert.NotEmpty(tokenizer.Encode("x"));
    }

    private static Tokenizer WithPattern(string pattern) => Json.ByteLevel().With(
        "pre_tokenizer",
        new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = pattern }, ["behavior"] = "Isolated", ["invert"] = false },
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["use_regex"] = false }),
        }).Load();

    [Fact]
    public void TK10_a_lone_surrogate_in_the_file_is_refused()
        => Refused("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\\ud800\": 0}, \"merges\": []}}", "InvalidJson");

    [Fact]
    public void TK14_an_empty_added_token_is_refused() => Assert.Equal("InvalidAddedToken", Assert.Throws<TokenizerFormatException>(() => Json.ByteLevel().Added("").Load()).Code);

    [Fact]
    public void TK15_an_added_token_gets_the_id_of_the_vocabulary_or_the_next_free_one_as_in_the_reference()
    {
        var tokenizer = Json.ByteLevel("hello").Added("hello").Added("<new>").Added("<newer>").Load();
        Assert.True(tokenizer.TryGetId("hello", out var known));
        Assert.Equal(259, known);
        Assert.Equal([known], tokenizer.Encode("hello"));
        Assert.Equal([260, 261], tokenizer.Encode("<new><newer>"));
    }

    [Theory]
    [InlineData("AAAA")]
    [InlineData("not base64!")]
    [InlineData("/////w==")]
    public void A_broken_charsmap_is_refused(string charsmap)
        => Assert.Equal(
            "InvalidCharsmap",
            Assert.Throws<TokenizerFormatException>(() => Json.ByteLevel().With("normalizer", new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = charsmap }).Load()).Code);

    [Fact]
    public void Random_damage_to_a_file_gives_a_tokenizer_or_a_typed_error()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        var random = new Random(seed);
        var good = Encoding.UTF8.GetBytes(Json.ByteLevel("hello", "world").Added("<s>").Added("the", special: false, singleWord: true, left: true, normalized: true)
            .With("normalizer", Json.Node("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[a-z&&[^b]]+|\\\\s{2,}\"},\"content\":\"x\"},{\"type\":\"Prepend\",\"prepend\":\"y\"}]}"))
            .With("post_processor", Json.Node("{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"S\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"S\":{\"id\":\"S\",\"ids\":[1],\"tokens\":[\"s\"]}}}"))
            .ToJsonString());
        var watch = Stopwatch.StartNew();
        var tried = 0;
        for (; watch.Elapsed.TotalSeconds < TestAssets.FuzzSeconds; tried++)
        {
            var bytes = (byte[])good.Clone();
            for (var i = random.Next(1, 6); i > 0; i--)
            {
                var at = random.Next(bytes.Length);
                switch (random.Next(4))
                {
                    case 0:
                        bytes[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        bytes = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 30))..]];
                        break;
                    case 2:
                        bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes(Fragment(random)), .. bytes[at..]];
                        break;
                    default:
                        var from = random.Next(bytes.Length);
                        bytes = [.. bytes[..at], .. bytes[from..Math.Min(bytes.Length, from + random.Next(1, 60))], .. bytes[at..]];
                        break;
                }

                if (bytes.Length == 0)
                {
                    bytes = [(byte)'{'];
                }
            }

            try
            {
                var tokenizer = Tokenizer.Parse(bytes);
                _ = tokenizer.Decode(tokenizer.Encode("hello <s> the wörld 12"));
            }
            catch (KvPrefetchException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, input {tried}: {e}\n{Convert.ToBase64String(bytes)}"));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tried} files"));
    }

    private static string Fragment(Random random)
    {
        string[] fragments = ["null", "[", "]", "{", "}", "\"", ",", ":", "-1", "1e99", "\"type\":\"Sequence\"", "\"Metaspace\"", "\"Unigram\"", "\"WordPiece\"", "(", ")*", "{3}", "\\\\p{L}", "\\ud800", "true", "99999999999"];
        return fragments[random.Next(fragments.Length)];
    }
}
