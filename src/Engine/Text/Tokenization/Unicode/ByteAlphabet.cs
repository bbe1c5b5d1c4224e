using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The 256 printable characters that byte-level tokenizers write for bytes: printable Latin-1 stands for itself, the rest follows from U+0100.</summary>
internal static class ByteAlphabet
{
    // The highest of them is U+0143.
    private const int Characters = 0x144;

    private static readonly char[] s_toChar = Build();
    private static readonly short[] s_toByte = Invert(s_toChar);

    public static char ToChar(byte value) => s_toChar[value];

    /// <summary>The byte a character stands for, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ToByte(int codePoint) => codePoint < s_toByte.Length ? s_toByte[codePoint] : -1;

    /// <summary>The bytes that a token's text stands for; false where a character is not of the alphabet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryToBytes(ReadOnlySpan<byte> utf8, Span<byte> bytes, out int written)
    {
        written = 0;
        for (var i = 0; i < utf8.Length;)
        {
            int c = utf8[i++];
            if (c >= 0x80)
            {
                if (c is < 0xC2 or > 0xC5 || i == utf8.Length)
                {
                    return false;
                }

                c = ((c & 0x1F) << 6) | (utf8[i++] & 0x3F);
            }

            var value = ToByte(c);
            if (value < 0)
            {
                return false;
            }

            bytes[written++] = (byte)value;
        }

        return true;
    }

    private static char[] Build()
    {
        var table = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            table[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : (char)next++;
        }

        return table;
    }

    private static short[] Invert(char[] toChar)
    {
        var table = new short[Characters];
        Array.Fill(table, (short)-1);
        for (var b = 0; b < 256; b++)
        {
            table[toChar[b]] = (short)b;
        }

        return table;
    }
}
