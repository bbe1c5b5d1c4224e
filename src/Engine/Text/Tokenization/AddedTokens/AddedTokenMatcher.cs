using System.Buffers;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>An added token found in a text; <paramref name="Start"/> and <paramref name="End"/> include white space that it takes along.</summary>
internal readonly record struct AddedTokenMatch(int Start, int End, int Id);

/// <summary>Finds added tokens: leftmost first, longest first, without overlap; never in, or partly in, text that is not the template's.</summary>
internal sealed class AddedTokenMatcher
{
    /// <summary>Longest text of an added token, in chars: it bounds the work at each position.</summary>
    public const int MaxContent = 1024;

    private readonly SearchValues<char> _firstChars;
    private readonly Dictionary<ulong, int> _edges = [];
    private readonly List<AddedToken?> _tokenAt = [null];

    /// <param name="tokens">Tokens with the text to look for, which for normalized ones is not their content.</param>
    public AddedTokenMatcher(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var first = new HashSet<char>();
        foreach (var (text, token) in tokens)
        {
            if (text.Length == 0)
            {
                continue;
            }

            first.Add(text[0]);
            var node = 0;
            foreach (var c in text)
            {
                if (!_edges.TryGetValue(Edge(node, c), out var next))
                {
                    next = _tokenAt.Count;
                    _edges.Add(Edge(node, c), next);
                    _tokenAt.Add(null);
                }

                node = next;
            }

            _tokenAt[node] = token;
        }

        _firstChars = SearchValues.Create(first.ToArray());
    }

    /// <summary>Appends what is found.</summary>
    /// <param name="text">Text without lone surrogates.</param>
    /// <param name="taint">One byte a char, not 0 where a token may not match; empty where it may match everywhere.</param>
    /// <param name="matches">Receives the matches in order.</param>
    public void FindAll(ReadOnlySpan<char> text, ReadOnlySpan<byte> taint, List<AddedTokenMatch> matches)
    {
        var covered = 0;
        for (var at = 0; at < text.Length;)
        {
            var skip = text[at..].IndexOfAny(_firstChars);
            if (skip < 0)
            {
                return;
            }

            at += skip;
            var length = Longest(text[at..], taint.IsEmpty ? taint : taint[at..], out var token);
            if (token is null)
            {
                at++;
                continue;
            }

            var (start, end) = (at, at + length);
            at = end;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..])))
            {
                continue;
            }

            if (token.StripLeft)
            {
                start = Math.Max(covered, start - SpacesAtEnd(text[..start]));
            }

            if (token.StripRight)
            {
                end += SpacesAtStart(text[end..]);
            }

            // Space that a token before took along may be a token itself: then it is found all the same, and the text goes on behind it, unless it wants space on its
            // left too and nothing is left of it: so the reference.
            if (start < end)
            {
                matches.Add(new AddedTokenMatch(start, end, token.Id));
                covered = end;
            }
        }
    }

    private int Longest(ReadOnlySpan<char> text, ReadOnlySpan<byte> taint, out AddedToken? token)
    {
        token = null;
        int node = 0, longest = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if ((!taint.IsEmpty && taint[i] != 0) || !_edges.TryGetValue(Edge(node, text[i]), out node))
            {
                break;
            }

            if (_tokenAt[node] is { } found)
            {
                token = found;
                longest = i + 1;
            }
        }

        return longest;
    }

    private static ulong Edge(int node, char next) => ((ulong)(uint)node << 16) | next;

    private static bool EndsWithWord(ReadOnlySpan<char> text) => !text.IsEmpty && CodePoints.Has(CodePoints.Before(text, text.Length, out _), CodePointFlags.Word);

    private static bool StartsWithWord(ReadOnlySpan<char> text) => !text.IsEmpty && CodePoints.Has(CodePoints.At(text, 0, out _), CodePointFlags.Word);

    // All white space is in the basic plane.
    private static int SpacesAtStart(ReadOnlySpan<char> text)
    {
        var count = 0;
        while (count < text.Length && CodePoints.Has(text[count], CodePointFlags.Space))
        {
            count++;
        }

        return count;
    }

    private static int SpacesAtEnd(ReadOnlySpan<char> text)
    {
        var count = 0;
        while (count < text.Length && CodePoints.Has(text[^(count + 1)], CodePointFlags.Space))
        {
            count++;
        }

        return count;
    }
}
