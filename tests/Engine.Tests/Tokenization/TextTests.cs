using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>Hard texts and ids: RELIABILITY.md, group TK.</summary>
public sealed class TextTests
{
    public static IEnumerable<TheoryDataRow<string>> Rows => TokenizerAssets.Rows;

    private static readonly Tokenizer s_small = Json.ByteLevel("hello", "world", "aaaaaaaa").Added("<|im_end|>").Added("<tool_call>", special: false).Load();

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK08_a_long_text_without_a_space_takes_linear_time(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        string[] texts = [new('A', 10_000), new('Z', 131_072), string.Concat(Enumerable.Repeat("us", 40_000)), new('\u00E9', 26_000), string.Concat(Enumerable.Repeat("ab0Cd/+9xYz", 95_000))];
        foreach (var text in texts)
        {
            var watch = Stopwatch.StartNew();
            Assert.True(tokenizer.CountTokens(text) > 0);
            Assert.True(watch.Elapsed.TotalSeconds < 20, $"{name}: {text.Length} characters took {watch.Elapsed}");
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK09_a_million_of_one_awkward_character_takes_linear_time_and_comes_back(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        foreach (var unit in new[] { " ", "\n", "\u0301", "\u202E", "👩‍👧", "\u05D0" })
        {
            var text = string.Concat(Enumerable.Repeat(unit, 1_000_000 / unit.Length));
            var watch = Stopwatch.StartNew();
            _ = tokenizer.Decode(tokenizer.Encode(text));
            Assert.True(watch.Elapsed.TotalSeconds < 30, $"{name}: {watch.Elapsed}");
        }
    }

    [Fact]
    public void TK10_lone_surrogates_are_the_replacement_character()
    {
        foreach (var text in new[] { "a\uD800b", "\uDC00", "x\uDBFF", "\uD83D\uD83D\uDE00" })
        {
            var replaced = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.Equal(s_small.Encode(replaced), s_small.Encode(text));
            Assert.Equal(replaced, s_small.Decode(s_small.Encode(text)));
            Assert.Equal(s_small.Encode(replaced), s_small.Encode([new TextSpan(text, Provenance.Content)]));
        }
    }

    [Theory]
    [InlineData("\0")]
    [InlineData("a\0b\uFFFF\uFFFE")]
    [InlineData("\uE000\uF8FF\U000F0000\U0010FFFF")]
    [InlineData("\U000DFFFF\U000A1234")]
    public void TK11_every_scalar_value_round_trips(string text) => Assert.Equal(text, s_small.Decode(s_small.Encode(text)));

    [Fact]
    public void TK12_empty_texts_have_no_tokens()
    {
        Assert.Empty(s_small.Encode(""));
        Assert.Empty(s_small.Encode([]));
        Assert.Empty(s_small.Encode([new TextSpan("", Provenance.Template), new TextSpan("", Provenance.Content)]));
        Assert.Equal("", s_small.Decode([]));
        Assert.Single(s_small.Encode("<|im_end|>"));
        Assert.True(s_small.IsSpecial(s_small.Encode("<|im_end|>")[0]));
    }

    [Fact]
    public void TK13_expansion_under_normalization_is_limited()
    {
        var tokenizer = Json.ByteLevel().With("normalizer", new JsonObject { ["type"] = "NFKC" }).Load();
        Assert.True(tokenizer.CountTokens(new string('\uFDFA', 100_000)) > 100_000 * 18);
        Assert.Throws<InvalidRequestException>(() => tokenizer.CountTokens(new string('\uFDFA', 5_000_000)));
    }

    [Fact]
    public void TK14_overlapping_added_tokens_match_longest_first_and_take_space_along()
    {
        var tokenizer = Json.ByteLevel().Added("<a>").Added("<a>b").Added("<m>", left: true, right: true).Added("word", singleWord: true).Load();
        Assert.Equal([257], tokenizer.Encode("<a>b"));
        Assert.Equal([256, 'c'], tokenizer.Encode("<a>c"));
        Assert.Equal(['x', 258, 'y'], tokenizer.Encode("x \t<m>\n y"));
        Assert.Equal([259], tokenizer.Encode("word"));
        Assert.Equal(5, tokenizer.Encode("words").Length);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    [InlineData(258)]
    public void TK16_an_id_that_does_not_exist_is_an_argument_error(int offset)
    {
        var id = offset == 258 ? s_small.VocabularySize : offset;
        Assert.Throws<ArgumentOutOfRangeException>(() => s_small.Decode([1, id]));
        Assert.Throws<ArgumentOutOfRangeException>(() => s_small.CreateDetokenizer().Append(id));
        Assert.Equal("a", s_small.Decode(['a' - '!' + s_small.Encode("!")[0]]));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK17_random_ids_stream_to_the_same_text_as_decoded_at_once(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var ids = Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(round % 2 == 0 ? Math.Min(600, tokenizer.VocabularySize) : tokenizer.VocabularySize)).ToArray();
            var skip = random.Next(2) == 0;
            var detokenizer = tokenizer.CreateDetokenizer(skip);
            var parts = ids.Select(detokenizer.Append).ToList();
            parts.Add(detokenizer.Flush());
            Assert.All(parts, part => Assert.False(part.Length > 0 && (char.IsLowSurrogate(part[0]) || char.IsHighSurrogate(part[^1]))));
            Assert.True(tokenizer.Decode(ids, skip) == string.Concat(parts), string.Create(CultureInfo.InvariantCulture, $"seed {seed}, round {round}: {string.Join(',', ids)}"));
        }
    }

    [Fact]
    public void TK17_an_incomplete_character_is_held_back_and_only_flushed_as_replacement()
    {
        var detokenizer = s_small.CreateDetokenizer();
        var bytes = s_small.Encode("😀");
        Assert.Equal(4, bytes.Length);
        Assert.Equal(["", "", "", "😀"], bytes.Select(detokenizer.Append));
        Assert.Equal("", detokenizer.Append(bytes[0]));
        Assert.Equal("\uFFFD", detokenizer.Flush());
    }

    [Fact]
    public void TK18_byte_fallback_decodes_runs_as_the_reference_does()
    {
        var tokenizer = TokenizerAssets.Load("llama2");
        Assert.True(tokenizer.TryGetId("<0xF0>", out var f0));
        Assert.True(tokenizer.TryGetId("<0x9F>", out var first));
        Assert.True(tokenizer.TryGetId("a", out var a));
        Assert.Equal("\uFFFD\uFFFDa", tokenizer.Decode([f0, first, a]));
        var detokenizer = tokenizer.CreateDetokenizer();
        Assert.Equal("", detokenizer.Append(f0));
        Assert.Equal("", detokenizer.Append(first));
        Assert.Equal("\uFFFD\uFFFDa", detokenizer.Append(a));
    }

    [Fact]
    public void TK19_sixty_four_threads_get_the_ids_of_one()
    {
        var texts = Enumerable.Range(0, 50).Select(i => string.Concat(Enumerable.Repeat($"hello {i} wörld aaaaaaa <|im_end|>\n", i + 1))).ToArray();
        var expected = Array.ConvertAll(texts, text => s_small.Encode(text));
        var failures = 0;
        var threads = Enumerable.Range(0, 64).Select(t => new Thread(() =>
        {
            for (var i = 0; i < texts.Length; i++)
            {
                var at = (i + t) % texts.Length;
                if (!s_small.Encode(texts[at]).AsSpan().SequenceEqual(expected[at]))
                {
                    Interlocked.Increment(ref failures);
                }
            }
        })).ToArray();
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Equal(0, failures);
    }

    [Fact]
    public void TK20_the_culture_changes_nothing()
    {
        var tokenizer = Json.ByteLevel().With("normalizer", Json.Node("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{\"type\":\"NFKD\"}]}")).Load();
        const string Text = "INFO İIıi ﬁ Straße 1,5";
        var expected = tokenizer.Encode(Text);
        var before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = Turkish();
            Assert.Equal(expected, tokenizer.Encode(Text));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        Assert.Equal("info i\u0307iıi fi straße 1,5", tokenizer.Decode(expected));
    }

    // In globalization-invariant mode there is no Turkish; then one with other number signs stands in.
    private static CultureInfo Turkish()
    {
        try
        {
            return new CultureInfo("tr-TR");
        }
        catch (CultureNotFoundException)
        {
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NegativeSign = "~";
            culture.NumberFormat.NumberDecimalSeparator = ",";
            return culture;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK21_no_added_token_comes_out_of_content(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        var added = AddedTokens(name);
        // Runs of white space are ordinary tokens too (gemma3 lists its own): they control nothing.
        var control = added.Where(text => text.Any(c => c != '\u2581' && !char.IsWhiteSpace(c))).ToList();
        var ids = control.Select(text => tokenizer.TryGetId(text, out var id) ? id : -1).ToHashSet();
        foreach (var token in control)
        {
            // Alone, joined by white space, and beside template text that is half of it.
            foreach (var spans in new TextSpan[][]
            {
                [new(token, Provenance.Content)],
                [new("x ", Provenance.Template), new(" " + token + "\n" + token, Provenance.Content), new(" y", Provenance.Template)],
                [new(token[..(token.Length / 2)], Provenance.Template), new(token[(token.Length / 2)..], Provenance.Content)],
                [new(token[..(token.Length / 2)], Provenance.Content), new(token[(token.Length / 2)..], Provenance.Template)],
                [new(token[..(token.Length / 2)], Provenance.Content), new(token[(token.Length / 2)..], Provenance.Content)],
            })
            {
                // Half of a token may be a token itself where the template wrote it.
                var allowed = spans.Where(span => span.Provenance == Provenance.Template).SelectMany(span => tokenizer.Encode(span.Text)).Where(ids.Contains).ToList();
                var found = tokenizer.Encode(spans).Where(ids.Contains).Where(id => !allowed.Contains(id)).ToList();
                Assert.True(found.Count == 0, $"{name}: '{token}' gave {string.Join(',', found)}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Benign_spans_give_the_ids_of_the_running_text(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        var added = AddedTokens(name);
        var random = new Random(7);
        foreach (var line in TokenizerAssets.Goldens(name).Where(line => !added.Any(token => line.Text.Contains(token, StringComparison.Ordinal))).Take(500))
        {
            var cut = random.Next(line.Text.Length + 1);
            Assert.Equal(
                tokenizer.Encode(line.Text),
                tokenizer.Encode([new TextSpan(line.Text[..cut], Provenance.Template), new TextSpan(line.Text[cut..], Provenance.Content)]));
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK22_template_tokens_are_recognised_across_neighbouring_template_spans(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        foreach (var token in AddedTokens(name).Where(token => token.Length > 1).Take(50))
        {
            Assert.Equal(
                tokenizer.Encode("a" + token + "b"),
                tokenizer.Encode([new("a", Provenance.Content), new(token[..1], Provenance.Template), new(token[1..], Provenance.Template), new("b", Provenance.Content)]));
        }
    }

    [Fact]
    public void TK23_marker_characters_in_user_text_are_text()
    {
        const string Text = "\0\u0001123,456\0\uE000\uF8FF\u00FF <|im_end|>";
        var ids = s_small.Encode([new TextSpan(Text, Provenance.Content)]);
        Assert.Equal(Text, s_small.Decode(ids));
        Assert.DoesNotContain(ids, s_small.IsSpecial);
    }

    [Fact]
    public void Encoding_allocates_nothing_a_token()
    {
        var text = string.Concat(Enumerable.Repeat("hello world aaaa 123 ", 20_000));
        var tokenizer = Json.ByteLevel("hello", "world").Load();
        // Three times, because the scratch lists change places.
        _ = tokenizer.CountTokens(text);
        _ = tokenizer.CountTokens(text);
        var count = tokenizer.CountTokens(text);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(count, tokenizer.CountTokens(text));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
    }

    [Fact]
    public void Known_patterns_and_the_general_engine_find_the_same_pieces()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        foreach (var source in KnownPatterns.All)
        {
            var known = KnownPatterns.Find(source)!;
            var general = new RegexPattern(source, "test");
            for (var round = 0; round < 2000; round++)
            {
                var text = RandomText(random);
                PieceList left = new(), right = new();
                known.FindAll(text, 0, left);
                general.FindAll(text, 0, right);
                Assert.True(left.Span.SequenceEqual(right.Span), string.Create(CultureInfo.InvariantCulture, $"seed {seed}: '{text}' by {source}"));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Random_texts_and_ids_never_fail(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        var random = new Random(seed);
        var watch = Stopwatch.StartNew();
        var round = 0;
        for (; watch.Elapsed.TotalSeconds < TestAssets.FuzzSeconds / 5; round++)
        {
            var text = RandomText(random);
            try
            {
                var ids = tokenizer.Encode(text, addSpecialTokens: round % 2 == 0);
                Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1));
                _ = tokenizer.Decode(ids);
                _ = tokenizer.Encode([new TextSpan(text, Provenance.Content), new TextSpan(text, Provenance.Template)]);
            }
            catch (Exception e)
            {
                Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"seed {seed}, round {round}, '{text}': {e}"));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{round} texts"));
    }

    private static string RandomText(Random random)
    {
        string[] pieces = ["hello", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "'\u017F", "Hello", "WORLD", "camelCase", "123", "1", "\u0663", "é", "e\u0301", "\u0301", "你好", "日本", "ﬁ", "😀", "👨‍👩‍👧", "\u00A0", "!", "...", "/", "<|im_end|>", "\u0130", "ǅ", "ʰ", "\uD800", "\0", "_", "$"];
        var text = new StringBuilder();
        for (var i = random.Next(12); i > 0; i--)
        {
            text.Append(random.Next(5) == 0 ? char.ConvertFromUtf32(Scalar(random)) : pieces[random.Next(pieces.Length)]);
        }

        return text.ToString();
    }

    private static int Scalar(Random random)
    {
        var value = random.Next(3) == 0 ? random.Next(0x110000) : random.Next(0x3000);
        return value is >= 0xD800 and <= 0xDFFF ? 0xFFFD : value;
    }

    private static List<string> AddedTokens(string name)
        => Json.Node(File.ReadAllText(Path.Combine(TokenizerAssets.Folder(name), "tokenizer.json")))["added_tokens"]!.AsArray().Select(token => token!["content"]!.GetValue<string>()).Distinct(StringComparer.Ordinal).ToList();
}
