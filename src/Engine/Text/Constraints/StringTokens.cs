using System.Text;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Tokens by what they are inside a JSON string, where any text may stand: content that stays inside, or content, the closing quote and what follows it.</summary>
internal sealed class StringTokens
{
    /// <summary>Longest content, in characters, for which tokens are told apart.</summary>
    private const int MaxLength = 48;

    private readonly (int Length, int Id)[][] _groups;
    private readonly uint[][] _upTo;

    public StringTokens(IReadOnlyList<(byte[] Text, int Id)> tokens, int size)
    {
        List<(int Length, int Id)> inside = [];
        var groups = new Dictionary<string, List<(int, int)>>(StringComparer.Ordinal);
        foreach (var (text, id) in tokens)
        {
            var scan = Scan(text, out var length, out var end);
            if (scan && end < 0)
            {
                inside.Add((length, id));
            }
            else if (scan)
            {
                var key = Encoding.Latin1.GetString(text.AsSpan(end));
                if (!groups.TryGetValue(key, out var list))
                {
                    groups.Add(key, list = []);
                }

                list.Add((length, id));
                MaxPrefix = Math.Max(MaxPrefix, length);
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
        var ordered = groups.OrderBy(g => g.Key, StringComparer.Ordinal).ToArray();
        _groups = [.. ordered.Select(g => g.Value.ToArray())];
        Closing = new TokenTrie([.. ordered.Select((g, i) => (Encoding.Latin1.GetBytes(g.Key), i))]);
    }

    private readonly (int Length, int Id)[] _long;

    /// <summary>Characters of the longest token that stays inside.</summary>
    public int Longest { get; }

    /// <summary>Characters that stand before the quote in a token that closes, at most.</summary>
    public int MaxPrefix { get; }

    /// <summary>The closing quote and what follows it; values number groups.</summary>
    public TokenTrie Closing { get; }

    /// <summary>Tokens of a group with the characters before their quote.</summary>
    public ReadOnlySpan<(int Length, int Id)> Group(int value) => _groups[value];

    /// <summary>Adds to a mask the tokens that stay inside and begin at most so many characters.</summary>
    public void AddContent(Span<uint> mask, int characters)
    {
        var from = _upTo[characters >= Longest ? MaxLength : Math.Min(characters, MaxLength - 1)];
        for (var i = 0; i < from.Length; i++)
        {
            mask[i] |= from[i];
        }

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
    /// <returns>False where no string can go on like this.</returns>
    private static bool Scan(ReadOnlySpan<byte> text, out int length, out int end)
    {
        (length, end) = (0, -1);
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
