using System.Text;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Tokens by what they are inside a JSON string, where any text may stand: content that stays inside, or content, the closing quote and what follows it.</summary>
internal sealed class StringTokens
{
    /// <summary>Longest content, in characters, for which tokens are told apart.</summary>
    private const int MaxLength = 48;

    private readonly uint[][] _upTo;
    private readonly (int Length, int Id)[] _long;
    private readonly byte[] _before;
    private readonly uint[] _plain;

    public StringTokens(IReadOnlyList<(byte[] Text, int Id)> tokens, int size)
    {
        List<(int Length, int Id)> inside = [];
        List<(byte[] Text, int Id)> suffixes = [];
        List<(byte[] Text, int Id)> whole = [];
        List<(byte[] Text, int Id)> escaped = [];
        List<(byte[] Text, int Id)> others = [];
        List<(byte[] Text, int Id)> plain = [];
        List<int> several = [];
        _plain = new uint[(size + 31) / 32];
        _before = new byte[size];
        foreach (var (text, id) in tokens)
        {
            if (!Scan(text, out var length, out var end, out var hasEscape))
            {
                continue;
            }

            if (end < 0 && !hasEscape)
            {
                _plain[id >> 5] |= 1u << id;
                plain.Add((text, id));
            }
            else
            {
                others.Add((text, id));
            }

            if (end < 0)
            {
                inside.Add((length, id));
            }
            else if (hasEscape)
            {
                escaped.Add((text, id));
            }
            else
            {
                suffixes.Add((text[end..], id));
                whole.Add((text, id));
                if (text.AsSpan(end + 1).Count((byte)'"') > 1)
                {
                    several.Add(id);
                }

                _before[id] = (byte)Math.Min(255, length);
                MaxBefore = Math.Max(MaxBefore, length);
            }
        }

        _upTo = new uint[MaxLength + 1][];
        for (var limit = 0; limit <= MaxLength; limit++)
        {
            var mask = new uint[(size + 31) / 32];
            foreach (var (length, id) in inside)
            {
                if (length <= limit || limit == MaxLength)
                {
                    mask[id >> 5] |= 1u << id;
                }
            }

            _upTo[limit] = mask;
        }

        Longest = inside.Select(t => t.Length).DefaultIfEmpty(0).Max();
        _long = [.. inside.Where(t => t.Length >= MaxLength)];
        suffixes.Sort(static (a, b) => a.Text.AsSpan().SequenceCompareTo(b.Text));
        Closing = new TokenTrie(suffixes);
        ClosingWhole = new TokenTrie(whole);
        ClosingEscaped = new TokenTrie(escaped);
        NotPlain = new TokenTrie(others);
        Plain = new TokenTrie(plain);
        ClosingSeveral = [.. several];
        Frequencies = new double[256];
        foreach (var (text, _) in plain)
        {
            foreach (var b in text)
            {
                Frequencies[b] += 1.0 / plain.Count / text.Length;
            }
        }
    }

    /// <summary>Characters of the longest token that stays inside.</summary>
    public int Longest { get; }

    /// <summary>Characters that stand before the quote in a token of <see cref="Closing"/>, at most.</summary>
    public int MaxBefore { get; }

    /// <summary>Tokens that close, without the content before their quote.</summary>
    public TokenTrie Closing { get; }

    /// <summary>The same with their content.</summary>
    public TokenTrie ClosingWhole { get; }

    /// <summary>Those of <see cref="Closing"/> in which another string begins and ends.</summary>
    public int[] ClosingSeveral { get; }

    /// <summary>Tokens with an escape before the quote that closes, whole; they are in no other trie here.</summary>
    public TokenTrie ClosingEscaped { get; }

    /// <summary>Tokens with an escape or a closing quote, whole.</summary>
    public TokenTrie NotPlain { get; }

    /// <summary>Tokens that stay inside, without an escape.</summary>
    public TokenTrie Plain { get; }

    /// <summary>How large a part of such tokens each byte is.</summary>
    public double[] Frequencies { get; }

    /// <summary>Adds to a mask the tokens that stay inside and have no escape.</summary>
    public void AddPlain(Span<uint> mask) => MaskWords.Or(mask, _plain);

    /// <summary>Characters before the quote of a token of <see cref="Closing"/>.</summary>
    public int Before(int id) => _before[id];

    /// <summary>Adds to a mask the tokens that stay inside and begin at most so many characters.</summary>
    public void AddContent(Span<uint> mask, int characters)
    {
        MaskWords.Or(mask, _upTo[characters >= Longest ? MaxLength : Math.Min(characters, MaxLength - 1)]);

        if (characters >= MaxLength && characters < Longest)
        {
            foreach (var (length, id) in _long)
            {
                if (length <= characters)
                {
                    mask[id >> 5] |= 1u << id;
                }
            }
        }
    }

    /// <summary>Reads a token from inside a string, at a character's start.</summary>
    /// <param name="text">Bytes of the token.</param>
    /// <param name="length">Characters begun, an escape being one.</param>
    /// <param name="end">Index of the closing quote; -1 where there is none.</param>
    /// <param name="hasEscape">Whether an escape stands before that, or anywhere.</param>
    /// <returns>False where no string can go on like this.</returns>
    internal static bool Scan(ReadOnlySpan<byte> text, out int length, out int end, out bool hasEscape)
    {
        (length, end, hasEscape) = (0, -1, false);
        for (var i = 0; i < text.Length;)
        {
            var b = text[i];
            if (b == '"')
            {
                end = i;
                return true;
            }

            if (b < 0x20)
            {
                return false;
            }

            length++;
            if (b == '\\')
            {
                hasEscape = true;
                if (!SkipEscape(text, ref i))
                {
                    return false;
                }

                continue;
            }

            var status = Rune.DecodeFromUtf8(text[i..], out _, out var used);
            if (status == System.Buffers.OperationStatus.InvalidData)
            {
                return false;
            }

            if (status == System.Buffers.OperationStatus.NeedMoreData)
            {
                return true;
            }

            i += used;
        }

        return true;
    }

    /// <summary>False for what is no escape. Surrogates come in pairs.</summary>
    private static bool SkipEscape(ReadOnlySpan<byte> text, ref int i)
    {
        if (++i >= text.Length)
        {
            return true;
        }

        var c = text[i++];
        if (c != 'u')
        {
            return "\"\\/bfnrt"u8.Contains(c);
        }

        if (!ReadHex(text, ref i, out var value, out var digits) || (digits >= 2 && (value >> (4 * (digits - 2))) is >= 0xDC and <= 0xDF))
        {
            return false;
        }

        if (digits < 4 || value is < 0xD800 or > 0xDBFF)
        {
            return true;
        }

        foreach (var expected in "\\u"u8)
        {
            if (i >= text.Length)
            {
                return true;
            }

            if (text[i++] != expected)
            {
                return false;
            }
        }

        return ReadHex(text, ref i, out value, out digits)
            && (digits < 1 || (value >> (4 * (digits - 1))) == 0xD)
            && (digits < 2 || (value >> (4 * (digits - 2))) is >= 0xDC and <= 0xDF);
    }

    /// <summary>Up to four digits; fewer only where the text ends.</summary>
    private static bool ReadHex(ReadOnlySpan<byte> text, ref int i, out int value, out int digits)
    {
        (value, digits) = (0, 0);
        for (; digits < 4 && i < text.Length; digits++, i++)
        {
            var digit = Hex(text[i]);
            if (digit < 0)
            {
                return false;
            }

            value = (value * 16) + digit;
        }

        return true;
    }

    /// <summary>Value of a hexadecimal digit, or -1.</summary>
    public static int Hex(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        _ => -1,
    };
}
