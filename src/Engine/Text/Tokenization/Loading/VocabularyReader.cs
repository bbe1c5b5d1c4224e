using System.Runtime.CompilerServices;
using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads the <c>vocab</c> of a tokenizer.json, straight from its bytes.</summary>
internal static class VocabularyReader
{
    /// <summary>An object (token to id), or the list of a unigram model (pairs of token and score; ids are places in the list).</summary>
    /// <returns>The tokens and, of a list, their scores.</returns>
    public static (Vocabulary Vocabulary, double[]? Scores) Read(TokenizerFile file, JsonList list)
    {
        var scanner = file.ScannerAt(list.Start);
        return scanner.Peek() switch
        {
            (byte)'{' => (ReadObject(scanner, list), null),
            (byte)'[' => ReadScored(scanner, list),
            _ => throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab is {scanner.TakeDocument().ValueKind}, neither an object nor an array."),
        };
    }

    public static string Show(ReadOnlySpan<byte> utf8) => "'" + TokenizerErrors.Shown(Encoding.UTF8.GetString(utf8)) + "'";

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vocabulary ReadObject(JsonScanner scanner, JsonList list)
    {
        // No id may make the tables larger than the file deserves.
        var size = list.End - list.Start;
        var maxId = checked(65_536L + (size * 4L));
        var vocabulary = Sized(list);
        for (var more = scanner.TakeOpening((byte)'{', (byte)'}'); more; more = scanner.TakeSeparator((byte)'}'))
        {
            var token = scanner.TakeName();
            var start = scanner.At;
            if (!scanner.TryTakeWholeNumber(out var id) || id > maxId)
            {
                // What is no JSON at all is that first of all.
                var shown = Show(token);
                scanner.At = start;
                scanner.TakeDocument();
                throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab gives {shown} no whole number from 0 to {maxId} as its id.");
            }

            if (!vocabulary.TryAdd(token, (int)id))
            {
                throw TokenizerErrors.Format("DuplicateId", $"tokenizer.json: model.vocab gives id {id} to both {Show(vocabulary.Text((int)id))} and {Show(token)}.");
            }
        }

        return vocabulary;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (Vocabulary Vocabulary, double[] Scores) ReadScored(JsonScanner scanner, JsonList list)
    {
        var vocabulary = Sized(list);
        var scores = new List<double>();
        for (var more = scanner.TakeOpening((byte)'[', (byte)']'); more; more = scanner.TakeSeparator((byte)']'))
        {
            if (scanner.Peek() != '[')
            {
                throw NotAPair(ref scanner, scores.Count);
            }

            scanner.Take((byte)'[');
            if (scanner.Peek() != '"')
            {
                throw NotAPair(ref scanner, scores.Count);
            }

            vocabulary.TryAdd(scanner.TakeString(), scores.Count, keepsOld: true);
            if (!scanner.TryTake((byte)',') || !scanner.TryTakeNumber(out var score) || !scanner.TryTake((byte)']'))
            {
                throw NotAPair(ref scanner, scores.Count);
            }

            scores.Add(score);
        }

        return (vocabulary, [.. scores]);
    }

    // An entry takes ten bytes of the file or more; a list of shorter ones repeats itself.
    private static Vocabulary Sized(JsonList list)
    {
        var size = list.End - list.Start;
        return new Vocabulary(Math.Min(list.Count, size / 10), size / 3);
    }

    private static TokenizerFormatException NotAPair(ref JsonScanner scanner, int index)
        => scanner.Peek() == 0 ? scanner.Invalid() : TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab[{index}] is not a pair of a token and its score.");
}
