using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads the <c>merges</c> of a tokenizer.json, straight from its bytes: strings "a b" or arrays ["a", "b"]; a long list on two threads.</summary>
internal sealed class MergesReader
{
    private readonly TokenizerFile _file;
    private readonly JsonList _list;
    private readonly Vocabulary _vocabulary;
    private readonly int _prefixLength;
    private readonly ulong[] _pairs;
    private readonly int[] _merged;

    private MergesReader(TokenizerFile file, JsonList list, Vocabulary vocabulary, int prefixLength)
    {
        _file = file;
        _list = list;
        _vocabulary = vocabulary;
        _prefixLength = prefixLength;
        _pairs = new ulong[list.Count];
        _merged = new int[list.Count];
    }

    /// <summary>All merges, ranked by their place in the list.</summary>
    /// <param name="file">The file.</param>
    /// <param name="list">Where the list stands.</param>
    /// <param name="vocabulary">Every part and every result must be in it.</param>
    /// <param name="prefixLength">Bytes that the right side loses when it is joined.</param>
    public static MergeList Read(TokenizerFile file, JsonList list, Vocabulary vocabulary, int prefixLength)
    {
        var scanner = file.ScannerAt(list.Start);
        if (scanner.Peek() != '[')
        {
            throw TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges is {scanner.TakeDocument().ValueKind}, not an array.");
        }

        var reader = new MergesReader(file, list, vocabulary, prefixLength);
        var start = scanner.At + 1;
        if (list.MiddleIndex == 0)
        {
            reader.ReadPart(start, list.End, 0);
        }
        else
        {
            TwoThreads.Run(file.Bytes.Length, () => reader.ReadPart(start, list.Middle, 0), () => reader.ReadPart(list.Middle, list.End, list.MiddleIndex));
        }

        return new MergeList(reader._pairs, reader._merged);
    }

    /// <summary>Reads elements, each with the comma or the bracket behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadPart(int at, int end, int rank)
    {
        var scanner = _file.ScannerAt(at);
        if (rank == 0 && scanner.TryTake((byte)']'))
        {
            return;
        }

        var joined = new byte[512];
        var last = -1;
        for (var more = true; more && scanner.At < end; rank++, more = scanner.TakeSeparator((byte)']'))
        {
            int left, right, leftLength, length;
            var first = scanner.Peek();
            if (first == '"')
            {
                var text = scanner.TakeString();
                if (text.StartsWith("#version"u8))
                {
                    continue;
                }

                leftLength = IndexOfSpace(text);
                if (leftLength == text.Length || IndexOfSpace(text[(leftLength + 1)..]) != text.Length - leftLength - 1)
                {
                    throw Wrong(rank, $"is {VocabularyReader.Show(text)}, not two tokens with one space between them");
                }

                left = Find(text[..leftLength], rank);
                length = Join(text[..leftLength], ref joined, 0);
                (right, length) = Right(text[(leftLength + 1)..], rank, ref joined, length);
            }
            else if (first == '[')
            {
                scanner.Take((byte)'[');
                var text = TakePart(ref scanner, rank);
                left = Find(text, rank);
                length = Join(text, ref joined, 0);
                if (!scanner.TryTake((byte)','))
                {
                    throw NotAPair(ref scanner, rank);
                }

                (right, length) = Right(TakePart(ref scanner, rank), rank, ref joined, length);
                if (!scanner.TryTake((byte)']'))
                {
                    throw NotAPair(ref scanner, rank);
                }
            }
            else
            {
                throw NotAPair(ref scanner, rank);
            }

            // Merges mostly come in the order of the tokens that they make, so a look at the last token and the next saves the search.
            var result = joined.AsSpan(0, length);
            last = _vocabulary.Is(last + 1, result) ? last + 1 : _vocabulary.Is(last, result) ? last : _vocabulary.Find(result);
            if (last < 0)
            {
                throw Wrong(rank, $"makes {VocabularyReader.Show(result)}, which is not in the vocabulary");
            }

            _pairs[rank] = MergeTable.Key(left, right);
            _merged[rank] = last;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Find(ReadOnlySpan<byte> token, int rank)
    {
        var id = _vocabulary.Find(token);
        return id >= 0 ? id : throw Wrong(rank, $"names {VocabularyReader.Show(token)}, which is not in the vocabulary");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (int Id, int Length) Right(ReadOnlySpan<byte> token, int rank, ref byte[] joined, int length)
    {
        var id = Find(token, rank);
        return token.Length >= _prefixLength ? (id, Join(token[_prefixLength..], ref joined, length))
            : throw Wrong(rank, $"continues a word with {VocabularyReader.Show(token)}, which is shorter than the prefix of continued words");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Join(ReadOnlySpan<byte> token, ref byte[] joined, int length)
    {
        var end = length + token.Length;
        if (end > joined.Length)
        {
            Array.Resize(ref joined, end * 2);
        }

        token.CopyTo(joined.AsSpan(length));
        return end;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int IndexOfSpace(ReadOnlySpan<byte> text)
    {
        var i = 0;
        while (i < text.Length && text[i] != ' ')
        {
            i++;
        }

        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<byte> TakePart(ref JsonScanner scanner, int rank) => scanner.Peek() == '"' ? scanner.TakeString() : throw NotAPair(ref scanner, rank);

    private static TokenizerFormatException NotAPair(ref JsonScanner scanner, int rank)
        => scanner.Peek() == 0 ? scanner.Invalid() : Wrong(rank, "is neither a string nor an array of two strings");

    private static TokenizerFormatException Wrong(int rank, string what) => TokenizerErrors.Format("InvalidMerge", $"tokenizer.json: model.merges[{rank}] {what}.");
}
