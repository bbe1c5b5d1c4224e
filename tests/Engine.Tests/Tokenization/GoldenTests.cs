using System.Text;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>2,000 strings a tokenizer against the Rust reference, without one difference.</summary>
public sealed class GoldenTests
{
    public static IEnumerable<TheoryDataRow<string>> Rows => TokenizerAssets.Rows;

    [Theory]
    [MemberData(nameof(Rows))]
    public void Ids_are_the_reference_s(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        var number = 0;
        foreach (var line in TokenizerAssets.Goldens(name))
        {
            Assert.True(line.Ids.AsSpan().SequenceEqual(tokenizer.Encode(line.Text)), $"{name} line {number}: {line.Text}: expected {string.Join(',', line.Ids)}, is {string.Join(',', tokenizer.Encode(line.Text))}");
            Assert.True(line.WithSpecial.AsSpan().SequenceEqual(tokenizer.Encode(line.Text, addSpecialTokens: true)), $"{name} line {number} with special tokens: {line.Text}");
            Assert.Equal(line.Ids.Length, tokenizer.CountTokens(line.Text));
            number++;
        }

        Assert.Equal(2000, number);
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Decoded_text_is_the_reference_s(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        foreach (var line in TokenizerAssets.Goldens(name))
        {
            Assert.Equal(line.Decoded, tokenizer.Decode(line.Ids));
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void TK17_streamed_text_is_the_whole_text_and_no_part_ends_within_a_character(string name)
    {
        var tokenizer = TokenizerAssets.Load(name);
        foreach (var line in TokenizerAssets.Goldens(name))
        {
            var detokenizer = tokenizer.CreateDetokenizer(skipSpecialTokens: false);
            var text = new StringBuilder();
            var parts = line.Ids.Select(detokenizer.Append).ToList();
            parts.Add(detokenizer.Flush());
            foreach (var part in parts)
            {
                Assert.False(part.Length > 0 && (char.IsLowSurrogate(part[0]) || char.IsHighSurrogate(part[^1])), "half a character");
                text.Append(part);
            }

            Assert.Equal(line.Decoded, text.ToString());
        }
    }
}
