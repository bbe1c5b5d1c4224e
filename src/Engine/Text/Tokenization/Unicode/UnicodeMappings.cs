namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>What normalization needs to know of each code point; built when the first tokenizer needs it.</summary>
internal static class UnicodeMappings
{
    public const byte Decomposes = 1;
    public const byte DecomposesCompatibly = 2;
    public const byte HasOrder = 4;
    public const byte ComposesWithPrevious = 8;
    public const byte ChangesInNfc = 16;
    public const byte HasLowercase = 32;

    private const int HangulBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TrailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Trails = 28, HangulCount = Leads * Vowels * Trails;

    private static readonly Dictionary<int, int[]> s_canonical = Read(UnicodeTables.Canonical);
    private static readonly Dictionary<int, int[]> s_compatible = Read(UnicodeTables.Compatible);
    private static readonly Dictionary<int, int[]> s_lowercase = Read(UnicodeTables.Lowercase);
    private static readonly Dictionary<long, int> s_compositions = ReadCompositions();
    private static readonly byte[] s_order = CodePoints.Expand(UnicodeTables.CombiningOrder);
    private static readonly byte[] s_flags = BuildFlags();

    public static byte Flags(int codePoint) => s_flags[codePoint];

    /// <summary>Rank of the combining class; 0 = starter.</summary>
    public static byte Order(int codePoint) => s_order[codePoint];

    public static ReadOnlySpan<int> Lowercase(int codePoint) => s_lowercase[codePoint];

    /// <summary>Writes the full decomposition.</summary>
    /// <param name="codePoint">Any.</param>
    /// <param name="compatible">Compatibility rather than canonical.</param>
    /// <param name="target">Room for 18.</param>
    /// <returns>Number of code points written.</returns>
    public static int Decompose(int codePoint, bool compatible, Span<int> target)
    {
        var flags = s_flags[codePoint];
        if (compatible && (flags & DecomposesCompatibly) != 0)
        {
            return Copy(s_compatible[codePoint], target);
        }

        if ((flags & Decomposes) == 0)
        {
            target[0] = codePoint;
            return 1;
        }

        var index = codePoint - HangulBase;
        if ((uint)index >= HangulCount)
        {
            return Copy(s_canonical[codePoint], target);
        }

        target[0] = LeadBase + (index / (Vowels * Trails));
        target[1] = VowelBase + (index % (Vowels * Trails) / Trails);
        target[2] = TrailBase + (index % Trails);
        return target[2] == TrailBase ? 2 : 3;
    }

    /// <summary>The primary composite of two code points, or -1.</summary>
    public static int Compose(int first, int second)
    {
        int lead = first - LeadBase, vowel = second - VowelBase;
        if ((uint)lead < Leads && (uint)vowel < Vowels)
        {
            return HangulBase + (((lead * Vowels) + vowel) * Trails);
        }

        int syllable = first - HangulBase, trail = second - TrailBase;
        if ((uint)syllable < HangulCount && syllable % Trails == 0 && trail is > 0 and < Trails)
        {
            return first + trail;
        }

        return s_compositions.GetValueOrDefault(((long)first << 32) | (uint)second, -1);
    }

    private static int Copy(int[] mapping, Span<int> target)
    {
        mapping.CopyTo(target);
        return mapping.Length;
    }

    private static Dictionary<int, int[]> Read(string base64)
    {
        var bytes = Convert.FromBase64String(base64);
        var mappings = new Dictionary<int, int[]>();
        var codePoint = 0;
        for (var i = 0; i < bytes.Length;)
        {
            codePoint += CodePoints.ReadNumber(bytes, ref i);
            var mapping = new int[CodePoints.ReadNumber(bytes, ref i)];
            for (var j = 0; j < mapping.Length; j++)
            {
                mapping[j] = CodePoints.ReadNumber(bytes, ref i);
            }

            mappings.Add(codePoint, mapping);
        }

        return mappings;
    }

    private static Dictionary<long, int> ReadCompositions()
        => Read(UnicodeTables.Compositions).ToDictionary(pair => ((long)pair.Value[0] << 32) | (uint)pair.Value[1], pair => pair.Key);

    private static byte[] BuildFlags()
    {
        var flags = new byte[CodePoints.Limit];
        foreach (var codePoint in s_canonical.Keys)
        {
            flags[codePoint] |= Decomposes | ChangesInNfc;
        }

        foreach (var codePoint in s_compatible.Keys)
        {
            flags[codePoint] |= DecomposesCompatibly;
        }

        foreach (var codePoint in s_lowercase.Keys)
        {
            flags[codePoint] |= HasLowercase;
        }

        foreach (var (pair, composite) in s_compositions)
        {
            flags[(int)(uint)pair] |= ComposesWithPrevious;
            flags[composite] &= unchecked((byte)~ChangesInNfc);
        }

        for (var i = 0; i < HangulCount; i++)
        {
            flags[HangulBase + i] |= Decomposes;
        }

        flags.AsSpan(VowelBase, Vowels).Fill(ComposesWithPrevious);
        flags.AsSpan(TrailBase + 1, Trails - 1).Fill(ComposesWithPrevious);
        for (var codePoint = 0; codePoint < flags.Length; codePoint++)
        {
            if (s_order[codePoint] != 0)
            {
                flags[codePoint] |= HasOrder;
            }
        }

        return flags;
    }
}
