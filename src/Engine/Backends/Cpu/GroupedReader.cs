using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Codes and factors of quantised weights, one at a time: the definition of <see cref="GroupedLayout"/>.</summary>
internal static unsafe class GroupedReader
{
    /// <summary>weight = code * scale + minimum</summary>
    public static (int Code, float Scale, float Minimum) Element(Weight weight, int row, int column)
    {
        var format = weight.Format;
        int group = column / GroupedLayout.Group, k = column % GroupedLayout.Group, n = row % GroupedLayout.Outputs;
        var panel = (byte*)weight.Data.Address + (row / GroupedLayout.Outputs * GroupedLayout.PanelBytes(format, weight.Columns));
        var codes = panel + ((long)group * GroupedLayout.CodeBytes(format));
        var factors = (ushort*)(panel + ((long)GroupedLayout.Groups(weight.Columns) * GroupedLayout.CodeBytes(format)) + ((long)group * GroupedLayout.FactorBytes(format)));
        if (format == WeightFormat.Int8)
        {
            return ((sbyte)codes[Place(k, n)], FloatFormats.BFloat16ToSingle(factors[n]), 0);
        }

        var code = codes[Place(k % 16, n)] >> (k < 16 ? 0 : 4) & 15;
        return (code, FloatFormats.BFloat16ToSingle(factors[(2 * n) + 1]), FloatFormats.BFloat16ToSingle(factors[2 * n]));
    }

    /// <summary>Byte of an input and an output in a group's codes.</summary>
    public static int Place(int k, int n) => (k / 4 * 64) + (n * 4) + (k % 4);
}
