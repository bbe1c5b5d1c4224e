using System.Globalization;
using System.Text;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>Horizontal bars, grouped, as SVG.</summary>
internal static class Plot
{
    private const int Left = 190, Bar = 11, Gap = 14, Width = 520, Top = 70;
    private static readonly string[] Colours = ["#9aa5b1", "#1f6feb", "#2da44e", "#bf8700", "#cf222e"];

    /// <param name="path">Where the file goes.</param>
    /// <param name="title">First line.</param>
    /// <param name="unit">Behind every figure.</param>
    /// <param name="series">Names of the bars of a group.</param>
    /// <param name="groups">Groups, with a value for each bar; NaN: none.</param>
    /// <param name="full">Value at the right edge; 0: the largest.</param>
    public static void Write(string path, string title, string unit, string[] series, IReadOnlyList<(string Name, double[] Values)> groups, double full = 0)
    {
        full = full > 0 ? full : groups.SelectMany(g => g.Values).Where(double.IsFinite).Max();
        var groupHeight = (series.Length * Bar) + Gap;
        var height = Top + (groups.Count * groupHeight) + 10;
        var svg = new StringBuilder();
        void Add(FormattableString line) => svg.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        Add($"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Width + 90}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">");
        Add($"<rect width=\"100%\" height=\"100%\" fill=\"white\"/><text x=\"10\" y=\"20\" font-size=\"14\">{title}</text>");
        for (var s = 0; s < series.Length; s++)
        {
            Add($"<rect x=\"{10 + (s * 165)}\" y=\"34\" width=\"10\" height=\"10\" fill=\"{Colours[s]}\"/><text x=\"{24 + (s * 165)}\" y=\"43\">{series[s]}</text>");
        }

        for (var g = 0; g < groups.Count; g++)
        {
            var y = Top + (g * groupHeight);
            Add($"<text x=\"{Left - 8}\" y=\"{y + (series.Length * Bar / 2) + 4}\" text-anchor=\"end\">{groups[g].Name}</text>");
            for (var s = 0; s < series.Length; s++)
            {
                var value = groups[g].Values[s];
                if (double.IsFinite(value))
                {
                    var width = Math.Min(1, value / full) * Width;
                    Add($"<rect x=\"{Left}\" y=\"{y + (s * Bar)}\" width=\"{width:0.0}\" height=\"{Bar - 1}\" fill=\"{Colours[s]}\"/><text x=\"{Left + width + 4:0.0}\" y=\"{y + (s * Bar) + 9}\" font-size=\"9\">{value:0.#}{unit}</text>");
                }
            }
        }

        svg.AppendLine("</svg>");
        File.WriteAllText(path, svg.ToString());
    }
}
