using System.Globalization;
using System.Text;
using KvPrefetch.Engine;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>The JSON of the two long lists, which has a scanner of its own.</summary>
public sealed class FileSyntaxTests
{
    private static string Bpe(string vocab, string merges = "[]") => "{\"model\": {\"type\": \"BPE\", \"vocab\": " + vocab + ", \"merges\": " + merges + "}}";

    [Theory]
    [InlineData("{\"a\": 0,}", "[]")]
    [InlineData("{\"a\" 0}", "[]")]
    [InlineData("{\"a\": 0 \"b\": 1}", "[]")]
    [InlineData("{a: 0}", "[]")]
    [InlineData("{\"a\": 01}", "[]")]
    [InlineData("{\"a\": 0]", "[]")]
    [InlineData("{\"a\nb\": 0}", "[]")]
    [InlineData("{\"a\\x\": 0}", "[]")]
    [InlineData("{\"\\u12G4\": 0}", "[]")]
    [InlineData("{\"\\udc00\": 0}", "[]")]
    [InlineData("{\"\\ud800\\u0041\": 0}", "[]")]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", "[\"a b\",]")]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", "[\"a b\"}")]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", "[\"a b\" \"a b\"]")]
    [InlineData("{\"a\": 0, \"b\": 1, \"ab\": 2}", "[,\"a b\"]")]
    public void TK01_lists_that_are_no_JSON_are_refused(string vocab, string merges)
    {
        var error = Assert.Throws<TokenizerFormatException>(() => Json.Parse(Bpe(vocab, merges)));
        // A comma where a merge should be is a wrong merge; everything else is no JSON.
        Assert.True(error.Code is "InvalidJson" or "InvalidMerge", error.Message);
    }

    [Fact]
    public void Invalid_UTF8_is_refused()
    {
        var bytes = Encoding.UTF8.GetBytes(Bpe("{\"aXb\": 0}"));
        bytes[Array.IndexOf(bytes, (byte)'X')] = 0xFF;
        Assert.Equal("InvalidJson", Assert.Throws<TokenizerFormatException>(() => KvPrefetch.Engine.Text.Tokenization.Tokenizer.Parse(bytes)).Code);
    }

    [Fact]
    public void Escapes_of_every_kind_and_white_space_anywhere_are_read()
    {
        var tokenizer = Json.Parse(Bpe("\r\n\t { \"\\\"\" : 0 ,\"\\\\\":1, \"\\/\\b\\f\\n\\r\\t\" : 2,\"\\u00e9\\u0041\\uD83D\\uDE00\":\t3, \"0123456789abcdef\\\"0123456789abcdef\": 4 } ", " [ ] "));
        string[] texts = ["\"", "\\", "/\b\f\n\r\t", "éA😀", "0123456789abcdef\"0123456789abcdef"];
        Assert.Equal(texts.Select((_, id) => id), texts.Select(text => tokenizer.TryGetId(text, out var id) ? id : -1));
    }

    [Fact]
    public void A_long_file_is_read_by_two_threads_as_by_one()
    {
        const int Merges = 50_000;
        Assert.Equal([2, 2], Json.Parse(Long(Merges, wrong: -1)).Encode("abab"));
        foreach (var wrong in new[] { 0, 100, Merges / 2, 30_000, Merges - 1 })
        {
            var error = Assert.Throws<TokenizerFormatException>(() => Json.Parse(Long(Merges, wrong)));
            Assert.Equal("InvalidMerge", error.Code);
            Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"model.merges[{wrong}]"), error.Message, StringComparison.Ordinal);
        }
    }

    private static string Long(int merges, int wrong)
    {
        var text = new StringBuilder("{\"a\": 0, \"b\": 1, \"ab\": 2");
        for (var i = 3; i < 40_000; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $",\n      \"token {i}\": {i}");
        }

        return Bpe(text.Append('}').ToString(), "[" + string.Join(",\n", Enumerable.Range(0, merges).Select(i => i == wrong ? "[\"a\", \"?\"]" : "[\"a\", \"b\"]")) + "]");
    }
}
