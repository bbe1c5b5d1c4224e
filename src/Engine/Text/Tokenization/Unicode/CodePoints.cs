using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Classes of code points that the Rust libraries behind the reference use, where they differ from Oniguruma's.</summary>
[Flags]
internal enum CodePointFlags : byte
{
    None = 0,
    /// <summary><c>\w</c> of the Rust regex library.</summary>
    Word = 1,
    /// <summary>White_Space.</summary>
    Space = 2,
    Numeric = 4,
    Punctuation = 8,
    /// <summary>What BERT's text cleaning removes.</summary>
    BertControl = 16,
    NonspacingMark = 32,
    CombiningMark = 64,
    /// <summary>What BERT's text cleaning turns into a space.</summary>
    BertSpace = 128,
}

/// <summary>General categories and classes of every code point, as the reference has them. A class is a mask over 32 categories: the 30 of Unicode in the order of
/// <see cref="System.Globalization.UnicodeCategory"/>, 30 = control characters that are white space, 31 = symbols that are alphabetic.</summary>
internal static class CodePoints
{
    public const int Limit = 0x110000;

    public const uint Lu = 1 << 0, Ll = 1 << 1, Lt = 1 << 2, Lm = 1 << 3, Lo = 1 << 4, Mn = 1 << 5, Mc = 1 << 6, Me = 1 << 7, Nd = 1 << 8, Nl = 1 << 9, No = 1 << 10;
    public const uint Zs = 1 << 11, Zl = 1 << 12, Zp = 1 << 13, Cf = 1 << 15, Cs = 1 << 16, Co = 1 << 17;
    public const uint Pc = 1 << 18, Pd = 1 << 19, Ps = 1 << 20, Pe = 1 << 21, Pi = 1 << 22, Pf = 1 << 23, Po = 1 << 24;
    public const uint Sm = 1 << 25, Sc = 1 << 26, Sk = 1 << 27, AlphabeticSo = 1u << 31, Cn = 1 << 29;
    public const uint ControlSpace = 1 << 30;
    public const uint Cc = (1 << 14) | ControlSpace;
    public const uint So = (1 << 28) | AlphabeticSo;

    public const uint Letter = Lu | Ll | Lt | Lm | Lo;
    public const uint Mark = Mn | Mc | Me;
    public const uint Number = Nd | Nl | No;
    public const uint PunctuationMask = Pc | Pd | Ps | Pe | Pi | Pf | Po;
    public const uint Symbol = Sm | Sc | Sk | So;
    public const uint Separator = Zs | Zl | Zp;
    public const uint Other = Cc | Cf | Cs | Co | Cn;
    public const uint WhiteSpace = ControlSpace | Separator;
    /// <summary>Oniguruma's <c>\w</c>, but for the superscripts and fractions of Latin-1 that it counts too.</summary>
    public const uint Word = Letter | Mark | Nd | Nl | Pc | AlphabeticSo;

    private static readonly byte[] s_categories = Expand(UnicodeTables.Categories);
    private static readonly byte[] s_flags = Expand(UnicodeTables.Flags);

    /// <summary>One category a code point; 0x110000 entries.</summary>
    public static ReadOnlySpan<byte> Categories => s_categories;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(int codePoint, uint mask) => ((mask >> s_categories[codePoint]) & 1) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Has(int codePoint, CodePointFlags flags) => (s_flags[codePoint] & (byte)flags) != 0;

    /// <summary>The code point at <paramref name="index"/> and its length in chars; a lone surrogate is itself, one char long.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index];
        length = 1;
        return char.IsHighSurrogate(c) ? Pair(text, index, ref length) : c;
    }

    /// <summary>The code point that ends before <paramref name="index"/> and its length in chars.</summary>
    public static int Before(ReadOnlySpan<char> text, int index, out int length)
    {
        var c = text[index - 1];
        length = 1;
        if (char.IsLowSurrogate(c) && index >= 2 && char.IsHighSurrogate(text[index - 2]))
        {
            length = 2;
            return char.ConvertToUtf32(text[index - 2], c);
        }

        return c;
    }

    /// <summary>Expands runs of (value, length) in base64 into one value a code point.</summary>
    internal static byte[] Expand(string base64)
    {
        var runs = Convert.FromBase64String(base64);
        var values = new byte[Limit];
        var position = 0;
        for (var i = 0; i < runs.Length;)
        {
            var value = runs[i++];
            var length = ReadNumber(runs, ref i);
            values.AsSpan(position, length).Fill(value);
            position += length;
        }

        return values;
    }

    /// <summary>A base-128 number, low group first.</summary>
    internal static int ReadNumber(ReadOnlySpan<byte> bytes, ref int index)
    {
        int value = 0, shift = 0;
        byte b;
        do
        {
            b = bytes[index++];
            value |= (b & 127) << shift;
            shift += 7;
        }
        while (b >= 128);

        return value;
    }

    private static int Pair(ReadOnlySpan<char> text, int index, ref int length)
    {
        if (index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(text[index], text[index + 1]);
        }

        return text[index];
    }
}
