using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The split patterns of the large byte-level families as linear scanners. They cover every text without a gap. The pattern that each one stands for is in
/// <see cref="KnownPatterns"/>; the general engine gives the same pieces, slower, and a test compares the two.</summary>
internal abstract class KnownPattern : Pattern
{
    private const uint LetterOrNumber = CodePoints.Letter | CodePoints.Number;

    public sealed override void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches)
    {
        for (var at = 0; at < text.Length;)
        {
            var end = MatchAt(text, at);
            matches.Add(offset + at, offset + end);
            at = end;
        }
    }

    /// <summary>End of the match that begins at <paramref name="at"/>.</summary>
    protected abstract int MatchAt(ReadOnlySpan<char> text, int at);

    /// <summary>First index from <paramref name="at"/> whose character is not of the class.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static int Run(ReadOnlySpan<char> text, int at, uint mask)
    {
        var categories = CodePoints.Categories;
        while ((uint)at < (uint)text.Length)
        {
            int c = text[at];
            if (!char.IsSurrogate((char)c))
            {
                if (((mask >> categories[c]) & 1) == 0)
                {
                    break;
                }

                at++;
                continue;
            }

            c = CodePoints.At(text, at, out var length);
            if (((mask >> categories[c]) & 1) == 0)
            {
                break;
            }

            at += length;
        }

        return at;
    }

    /// <summary>The same, at most <paramref name="limit"/> characters.</summary>
    protected static int Run(ReadOnlySpan<char> text, int at, uint mask, int limit)
    {
        for (; limit > 0 && at < text.Length; limit--)
        {
            if (!CodePoints.Is(CodePoints.At(text, at, out var length), mask))
            {
                break;
            }

            at += length;
        }

        return at;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static bool IsAt(ReadOnlySpan<char> text, int at, uint mask) => at < text.Length && CodePoints.Is(CodePoints.At(text, at, out _), mask);

    /// <summary><c>\s+(?!\S)|\s+</c> at a white space.</summary>
    protected static int Spaces(ReadOnlySpan<char> text, int at)
    {
        var end = Run(text, at, CodePoints.WhiteSpace);
        return end < text.Length && end - at > 1 ? end - 1 : end;
    }

    /// <summary><c>\s*[\r\n]+|\s+(?!\S)|\s+</c> at a white space.</summary>
    protected static int LinesOrSpaces(ReadOnlySpan<char> text, int at)
    {
        var end = Run(text, at, CodePoints.WhiteSpace);
        var line = text[at..end].LastIndexOfAny('\r', '\n');
        return line >= 0 ? at + line + 1 : end < text.Length && end - at > 1 ? end - 1 : end;
    }

    /// <summary>Length of <c>'s 't 're 've 'm 'll 'd</c> at the apostrophe, or zero.</summary>
    protected static int Contraction(ReadOnlySpan<char> text, int at, bool ignoreCase)
    {
        if (at + 1 >= text.Length || text[at] != '\'')
        {
            return 0;
        }

        var first = Fold(text[at + 1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return 2;
        }

        if (at + 2 >= text.Length)
        {
            return 0;
        }

        var second = Fold(text[at + 2], ignoreCase);
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    // U+017F, the long s, folds to s.
    private static char Fold(char c, bool ignoreCase) => !ignoreCase ? c : c == '\u017F' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;

    /// <summary>GPT-2.</summary>
    internal sealed class Gpt2 : KnownPattern
    {
        private const uint Others = ~(CodePoints.WhiteSpace | LetterOrNumber);

        protected override int MatchAt(ReadOnlySpan<char> text, int at)
        {
            var contraction = Contraction(text, at, ignoreCase: false);
            if (contraction > 0)
            {
                return at + contraction;
            }

            var start = text[at] == ' ' && at + 1 < text.Length ? at + 1 : at;
            var codePoint = CodePoints.At(text, start, out var length);
            var category = 1u << CodePoints.Categories[codePoint];
            var mask = (category & CodePoints.Letter) != 0 ? CodePoints.Letter : (category & CodePoints.Number) != 0 ? CodePoints.Number : Others;
            return (category & mask) != 0 ? Run(text, start + length, mask) : Spaces(text, at);
        }
    }

    /// <summary>cl100k, Llama 3, Qwen: they differ in how many digits go together and whether a word holds marks.</summary>
    internal sealed class Cl100k(int digits, bool marksInWords = false) : KnownPattern
    {
        private readonly uint _word = CodePoints.Letter | (marksInWords ? CodePoints.Mark : 0);
        private readonly uint _others = ~(CodePoints.WhiteSpace | LetterOrNumber | (marksInWords ? CodePoints.Mark : 0));

        protected override int MatchAt(ReadOnlySpan<char> text, int at)
        {
            var contraction = Contraction(text, at, ignoreCase: true);
            if (contraction > 0)
            {
                return at + contraction;
            }

            var codePoint = CodePoints.At(text, at, out var length);
            var category = 1u << CodePoints.Categories[codePoint];
            var next = at + length;
            if ((category & LetterOrNumber) == 0 && codePoint is not ('\r' or '\n') && IsAt(text, next, _word))
            {
                return Run(text, next, _word);
            }

            if ((category & _word) != 0)
            {
                return Run(text, next, _word);
            }

            if ((category & CodePoints.Number) != 0)
            {
                return Run(text, next, CodePoints.Number, digits - 1);
            }

            var start = codePoint == ' ' ? next : at;
            if (IsAt(text, start, _others))
            {
                var end = Run(text, start, _others);
                while (end < text.Length && text[end] is '\r' or '\n')
                {
                    end++;
                }

                return end;
            }

            return LinesOrSpaces(text, at);
        }
    }

    /// <summary>o200k (GPT-4o, gpt-oss): words break where lower case turns to upper case and keep their contraction.</summary>
    internal sealed class O200k : KnownPattern
    {
        private const uint Upper = CodePoints.Lu | CodePoints.Lt | CodePoints.Lm | CodePoints.Lo | CodePoints.Mark;
        private const uint Lower = CodePoints.Ll | CodePoints.Lm | CodePoints.Lo | CodePoints.Mark;
        private const uint Others = ~(CodePoints.WhiteSpace | LetterOrNumber);

        protected override int MatchAt(ReadOnlySpan<char> text, int at)
        {
            var codePoint = CodePoints.At(text, at, out var length);
            var category = 1u << CodePoints.Categories[codePoint];
            var prefixed = (category & LetterOrNumber) == 0 && codePoint is not ('\r' or '\n') ? at + length : -1;
            if (prefixed >= 0 || (category & (Upper | Lower)) != 0)
            {
                var end = prefixed >= 0 ? EndsLower(text, prefixed) : -1;
                end = end < 0 ? EndsLower(text, at) : end;
                end = end < 0 && prefixed >= 0 ? StartsUpper(text, prefixed) : end;
                end = end < 0 ? StartsUpper(text, at) : end;
                if (end >= 0)
                {
                    return end + Contraction(text, end, ignoreCase: true);
                }
            }

            if ((category & CodePoints.Number) != 0)
            {
                return Run(text, at + length, CodePoints.Number, 2);
            }

            var start = codePoint == ' ' ? at + length : at;
            if (IsAt(text, start, Others))
            {
                var end = Run(text, start, Others);
                while (end < text.Length && text[end] is '\r' or '\n' or '/')
                {
                    end++;
                }

                return end;
            }

            return LinesOrSpaces(text, at);
        }

        /// <summary><c>Upper*Lower+</c>, or -1: where the upper run is not followed by a lower letter it gives back up to its last character that is of both classes.</summary>
        private static int EndsLower(ReadOnlySpan<char> text, int at)
        {
            var upperEnd = Run(text, at, Upper);
            if (IsAt(text, upperEnd, Lower))
            {
                return Run(text, upperEnd, Lower);
            }

            for (var end = upperEnd; end > at;)
            {
                var codePoint = CodePoints.Before(text, end, out var length);
                if (CodePoints.Is(codePoint, Lower))
                {
                    return end;
                }

                end -= length;
            }

            return -1;
        }

        private static int StartsUpper(ReadOnlySpan<char> text, int at)
        {
            var end = Run(text, at, Upper);
            return end > at ? Run(text, end, Lower) : -1;
        }
    }
}
