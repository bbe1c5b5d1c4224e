namespace KvPrefetch.Engine.Backends;

/// <summary>How weights that were quantised while loading lie in memory. A panel holds 16 outputs over all inputs, in groups of 32 inputs; outputs and inputs that a matrix lacks are zeros.
/// First the panel's codes, group by group, 64 bytes for four inputs of each output, <c>[4 inputs of output 0][of output 1]...</c>:
/// <list type="bullet">
/// <item>Int8: eight times 64 bytes for inputs 0-3, 4-7, ... 28-31; a code is -127 to 127, weight = code * scale.</item>
/// <item>Int4: four times 64 bytes; low halves hold inputs 0-15, high halves inputs 16-31; a code is 0 to 15, weight = code * scale + minimum.</item>
/// </list>
/// Then the factors, group by group: Int8 16 scales in bfloat16; Int4 for each output 4 bytes, minimum and then scale in bfloat16. A panel ends at a multiple of 64 bytes, and the next begins.</summary>
internal static class GroupedLayout
{
    /// <summary>Part of what identifies quantised weights on a disk: to be raised whenever the layout, or the choice of codes, becomes another.</summary>
    public const int Version = 1;

    /// <summary>Outputs of a panel.</summary>
    public const int Outputs = 16;

    /// <summary>Inputs that share a scale.</summary>
    public const int Group = 32;

    /// <summary>Matrices with fewer rows or columns stay as they are stored: a panel would be mostly empty, and they are no share of the bytes.</summary>
    public static bool Serves(int rows, int columns) => rows >= Outputs && columns >= Group;

    /// <summary>Groups of a row.</summary>
    public static int Groups(int columns) => (columns + Group - 1) / Group;

    public static int Panels(int rows) => (rows + Outputs - 1) / Outputs;

    /// <summary>Bytes of the codes of a group of a panel.</summary>
    public static int CodeBytes(WeightFormat format) => format == WeightFormat.Int4 ? Outputs * Group / 2 : Outputs * Group;

    /// <summary>Bytes of the factors of a group of a panel.</summary>
    public static int FactorBytes(WeightFormat format) => format == WeightFormat.Int4 ? Outputs * 4 : Outputs * 2;

    /// <summary>Bytes from a panel to the next.</summary>
    public static long PanelBytes(WeightFormat format, int columns) => (((long)Groups(columns) * (CodeBytes(format) + FactorBytes(format))) + 63) & ~63L;

    /// <summary>Bytes of a matrix.</summary>
    public static long Bytes(WeightFormat format, int rows, int columns) => checked(Panels(rows) * PanelBytes(format, columns));
}
