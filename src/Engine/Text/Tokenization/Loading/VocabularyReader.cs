using System.Runtime.CompilerServices;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads the two long lists of a tokenizer.json, straight from its bytes.</summary>
internal static class VocabularyReader
{
    /// <summary>The <c>vocab</c> object: token to id.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static Vocabulary ReadObject(TokenizerFile file, Range part)
    {
        var reader = file.ReaderOf(part);
        var size = file.Bytes.AsSpan(part).Length;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab is {reader.TokenType}, not an object.");
        }

        // A pair takes about twenty bytes of the file; and no id may make the tables larger than the file deserves.
        var vocabulary = new Vocabulary(size / 20, size / 2);
        var maxId = checked(65_536L + (size * 4L));
        var scratch = new byte[256];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            // The copy may replace the scratch, so its length comes first.
            var length = Copy(ref reader, ref scratch);
            var token = scratch.AsSpan(0, length);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var id) || id < 0 || id > maxId)
            {
                throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab gives {Show(token)} no whole number from 0 to {maxId} as its id.");
            }

            if (!vocabulary.TryAdd(token, (int)id))
            {
                throw TokenizerErrors.Format("DuplicateId", $"tokenizer.json: model.vocab gives id {id} to both {Show(vocabulary.Text((int)id))} and {Show(token)}.");
            }
        }

        return vocabulary;
    }

    /// <summary>The <c>vocab</c> list of a unigram model: pairs of token and score; ids are places in the list.</summary>
    public static (Vocabulary Vocabulary, double[] Scores) ReadScored(TokenizerFile file, Range part)
    {
        var reader = file.ReaderOf(part);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
        {
            throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab is {reader.TokenType}, not an array.");
        }

        var size = file.Bytes.AsSpan(part).Length;
        var vocabulary = new Vocabulary(size / 20, size / 2);
        var scores = new List<double>();
        var scratch = new byte[256];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var ok = reader.TokenType == JsonTokenType.StartArray && reader.Read() && reader.TokenType == JsonTokenType.String;
            var length = ok ? Copy(ref reader, ref scratch) : 0;
            var score = 0.0;
            ok = ok && reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out score) && double.IsFinite(score);
            if (!ok || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            {
                throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab[{scores.Count}] is not a pair of a token and its score.");
            }

            vocabulary.TryAdd(scratch.AsSpan(0, length), scores.Count, keepsOld: true);
            scores.Add(score);
        }

        return (vocabulary, [.. scores]);
    }

    /// <summary>The <c>merges</c> list: strings "a b" or arrays ["a", "b"].</summary>
    /// <param name="file">The file.</param>
    /// <param name="part">Where the list stands.</param>
    /// <param name="vocabulary">Every part and every result must be in it.</param>
    /// <param name="prefixLength">Bytes that the right side loses when it is joined.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static MergeTable ReadMerges(TokenizerFile file, Range part, Vocabulary vocabulary, int prefixLength)
    {
        var reader = file.ReaderOf(part);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray)
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges is {reader.TokenType}, not an array.");
        }

        var found = new List<(int Left, int Right, int Rank, int Merged)>();
        var last = -1;
        var left = new byte[256];
        var right = new byte[256];
        var joined = new byte[512];
        for (var rank = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; rank++)
        {
            int aLength, bStart, bLength;
            byte[] source;
            if (reader.TokenType == JsonTokenType.String)
            {
                var length = Copy(ref reader, ref left);
                var text = left.AsSpan(0, length);
                var space = text.IndexOf((byte)' ');
                if (text.StartsWith("#version"u8))
                {
                    rank--;
                    continue;
                }

                if (space < 0 || text[(space + 1)..].Contains((byte)' '))
                {
                    throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] is {Show(text)}, not two tokens with one space between them.");
                }

                (aLength, bStart, bLength, source) = (space, space + 1, text.Length - space - 1, left);
            }
            else
            {
                (aLength, bLength) = ReadPair(ref reader, rank, ref left, ref right);
                (bStart, source) = (0, right);
            }

            Add(found, vocabulary, left.AsSpan(0, aLength), source.AsSpan(bStart, bLength), rank, prefixLength, ref joined, ref last);
        }

        var merges = new MergeTable(found.Count);
        foreach (var (a, b, rank, merged) in found)
        {
            merges.Add(a, b, rank, merged);
        }

        return merges;
    }

    /// <summary>Copies the string or property name under the reader, without escapes.</summary>
    /// <returns>Its length in bytes.</returns>
    private static int Copy(ref Utf8JsonReader reader, ref byte[] scratch)
    {
        var length = reader.ValueSpan.Length;
        if (scratch.Length < length)
        {
            scratch = new byte[length * 2];
        }

        return reader.CopyString(scratch);
    }

    public static string Show(ReadOnlySpan<byte> utf8) => "'" + TokenizerErrors.Shown(System.Text.Encoding.UTF8.GetString(utf8)) + "'";

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(List<(int Left, int Right, int Rank, int Merged)> merges, Vocabulary vocabulary, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, int rank, int prefixLength, ref byte[] joined, ref int last)
    {
        var left = vocabulary.Find(a);
        var right = vocabulary.Find(b);
        if (left < 0 || right < 0)
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] names {Show(left < 0 ? a : b)}, which is not in the vocabulary.");
        }

        if (b.Length < prefixLength)
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] continues a word with {Show(b)}, which is shorter than the prefix of continued words.");
        }

        var tail = b[prefixLength..];
        if (joined.Length < a.Length + tail.Length)
        {
            joined = new byte[(a.Length + tail.Length) * 2];
        }

        a.CopyTo(joined);
        tail.CopyTo(joined.AsSpan(a.Length));
        var text = joined.AsSpan(0, a.Length + tail.Length);
        // Merges mostly come in the order of the tokens that they make, so a look at the last token and the next saves the search.
        var merged = vocabulary.Is(last, text) ? last : vocabulary.Is(last + 1, text) ? last + 1 : vocabulary.Find(text);
        last = merged;
        if (merged < 0)
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] makes {Show(text)}, which is not in the vocabulary.");
        }

        if (!vocabulary.IsReserved(merged))
        {
            merges.Add((left, right, rank, merged));
        }
    }

    private static (int Left, int Right) ReadPair(ref Utf8JsonReader reader, int rank, ref byte[] left, ref byte[] right)
    {
        var ok = reader.TokenType == JsonTokenType.StartArray && reader.Read() && reader.TokenType == JsonTokenType.String;
        var a = ok ? Copy(ref reader, ref left) : 0;
        ok = ok && reader.Read() && reader.TokenType == JsonTokenType.String;
        var b = ok ? Copy(ref reader, ref right) : 0;
        if (!ok || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] is neither a string nor an array of two strings.");
        }

        return (a, b);
    }
}
