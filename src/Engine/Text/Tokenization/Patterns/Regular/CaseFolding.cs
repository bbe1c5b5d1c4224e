namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Code points that are equal when case is ignored, one character for one.</summary>
internal static class CaseFolding
{
    // Folds that lower-casing does not show: final sigma, long s, symbol variants of letters, and the iota below.
    private static readonly (int From, int To)[] s_more =
    [
        (0xB5, 0x3BC), (0x17F, 0x73), (0x345, 0x3B9), (0x3C2, 0x3C3), (0x3D0, 0x3B2), (0x3D1, 0x3B8), (0x3D5, 0x3C6), (0x3D6, 0x3C0), (0x3F0, 0x3BA), (0x3F1, 0x3C1),
        (0x3F5, 0x3B5), (0x1E9B, 0x1E61), (0x1FBE, 0x3B9), (0x1C80, 0x432), (0x1C81, 0x434), (0x1C82, 0x43E), (0x1C83, 0x441), (0x1C84, 0x442), (0x1C85, 0x442),
        (0x1C86, 0x44A), (0x1C87, 0x463), (0x1C88, 0xA64B), (0x1FD3, 0x390), (0x1FE3, 0x3B0), (0xFB05, 0xFB06),
    ];

    /// <summary>Groups of two or more.</summary>
    public static int[][] Groups { get; } = Build();

    private static int[][] Build()
    {
        var fold = s_more.ToDictionary(pair => pair.From, pair => pair.To);
        for (var c = 0; c < CodePoints.Limit; c++)
        {
            if ((UnicodeMappings.Flags(c) & UnicodeMappings.HasLowercase) != 0 && UnicodeMappings.Lowercase(c) is [var lower])
            {
                fold[c] = fold.GetValueOrDefault(lower, lower);
            }
        }

        return fold.GroupBy(pair => pair.Value).Select(group => group.Select(pair => pair.Key).Append(group.Key).Distinct().ToArray()).ToArray();
    }
}
