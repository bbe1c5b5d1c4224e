using System.Globalization;
using System.Security;
using System.Text;

namespace KvPrefetch.Benchmarks;

/// <summary>Panels of bars and of lines, side by side in one SVG file. A series has the same colour in all panels. NaN: no value.</summary>
/// <param name="title">First line.</param>
/// <param name="columns">Panels beside each other.</param>
internal sealed class Plot(string title, int columns = 1)
{
    private const int PanelWidth = 560, Margin = 14, Head = 34, Names = 150, Row = 12, Gap = 12, LineHeight = 230, Legend = 16;
    private static readonly string[] Palette = ["#1f6feb", "#9aa5b1", "#2da44e", "#bf8700", "#cf222e", "#8250df", "#0a7ea4", "#5c6670"];

    private readonly List<string> _colours = [];
    private readonly List<Panel> _panels = [];

    /// <summary>Horizontal bars in groups.</summary>
    /// <param name="name">Of the panel.</param>
    /// <param name="unit">Behind every figure.</param>
    /// <param name="series">Names of the bars of a group.</param>
    /// <param name="groups">Groups, with a value for each bar.</param>
    /// <param name="full">Value at the right edge; 0: the largest.</param>
    public void Bars(string name, string unit, IReadOnlyList<string> series, IReadOnlyList<(string Name, double[] Values)> groups, double full = 0)
    {
        full = full > 0 ? full : groups.SelectMany(g => g.Values).Where(double.IsFinite).DefaultIfEmpty(1).Max();
        var panel = Open(name, series);
        const int Width = PanelWidth - Names - 80;
        foreach (var (group, values) in groups)
        {
            var present = Enumerable.Range(0, values.Length).Where(s => double.IsFinite(values[s])).ToArray();
            panel.Text(Names - 8, panel.Height + (present.Length * Row / 2) + 4, group, "end");
            foreach (var s in present)
            {
                var width = Math.Clamp(values[s] / full, 0, 1) * Width;
                panel.Add($"<rect x=\"{Names}\" y=\"{panel.Height}\" width=\"{width:0.0}\" height=\"{Row - 1}\" fill=\"{Colour(series[s])}\"/>");
                panel.Text(Names + width + 4, panel.Height + 9, Figure(values[s]) + unit, size: 9);
                panel.Height += Row;
            }

            panel.Height += Gap;
        }
    }

    /// <summary>Lines over a common axis, each point marked.</summary>
    /// <param name="name">Of the panel; says the unit of the values too.</param>
    /// <param name="axis">What x is.</param>
    /// <param name="xs">Ascending; at most ten are written out.</param>
    /// <param name="series">Each with a value for each x.</param>
    /// <param name="logX">Logarithmic x; all above 0.</param>
    /// <param name="logY">Logarithmic values, all above 0; otherwise the axis begins at 0.</param>
    public void Lines(string name, string axis, double[] xs, IReadOnlyList<(string Name, double[] Values)> series, bool logX = false, bool logY = false)
    {
        var panel = Open(name, [.. series.Select(s => s.Name)]);
        const double Left = 56, Right = PanelWidth - 24;
        double top = panel.Height + 6, bottom = top + LineHeight;
        var values = series.SelectMany(s => s.Values).Where(double.IsFinite).DefaultIfEmpty(1).ToArray();
        double low = logY ? Math.Pow(10, Math.Floor(Math.Log10(values.Min()))) : 0, high = logY ? Math.Pow(10, Math.Ceiling(Math.Log10(values.Max() * 1.001))) : values.Max() * 1.05;
        double Place(double value, double from, double to, bool log) =>
            to <= from ? 0.5 : log ? Math.Log(value / from) / Math.Log(to / from) : (value - from) / (to - from);
        double X(double x) => Left + (Place(x, xs[0], xs[^1], logX) * (Right - Left));
        double Y(double y) => bottom - (Place(y, low, high, logY) * LineHeight);

        foreach (var tick in Ticks(low, high, logY))
        {
            panel.Add($"<line x1=\"{Left}\" x2=\"{Right}\" y1=\"{Y(tick):0.0}\" y2=\"{Y(tick):0.0}\" stroke=\"#e1e5ea\"/>");
            panel.Text(Left - 6, Y(tick) + 4, Figure(tick), "end", 9);
        }

        foreach (var x in xs.Where((_, i) => i % ((xs.Length + 9) / 10) == 0 || i == xs.Length - 1))
        {
            panel.Add($"<line x1=\"{X(x):0.0}\" x2=\"{X(x):0.0}\" y1=\"{bottom}\" y2=\"{bottom + 4}\" stroke=\"#5c6670\"/>");
            panel.Text(X(x), bottom + 15, Figure(x), "middle", 9);
        }

        panel.Text((Left + Right) / 2, bottom + 30, axis, "middle");
        foreach (var (line, ys) in series)
        {
            var points = xs.Zip(ys).Where(p => double.IsFinite(p.Second)).Select(p => FormattableString.Invariant($"{X(p.First):0.0},{Y(p.Second):0.0}")).ToArray();
            panel.Add($"<polyline fill=\"none\" stroke=\"{Colour(line)}\" stroke-width=\"2\" points=\"{string.Join(' ', points)}\"/>");
            foreach (var point in points.Length > 40 ? [] : points)
            {
                var at = point.Split(',');
                panel.Add($"<circle cx=\"{at[0]}\" cy=\"{at[1]}\" r=\"3\" fill=\"{Colour(line)}\"/>");
            }
        }

        panel.Height = (int)bottom + 44;
    }

    /// <summary>Writes the file.</summary>
    /// <param name="path">Where it goes.</param>
    /// <param name="foot">A last line: machine, commit; or null.</param>
    public void Save(string path, string? foot = null)
    {
        var svg = new StringBuilder();
        int y = Head, width = (columns * PanelWidth) + ((columns + 1) * Margin);
        foreach (var row in _panels.Chunk(columns))
        {
            for (var i = 0; i < row.Length; i++)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"translate({Margin + (i * (PanelWidth + Margin))},{y})\">\n{row[i].Body}</g>\n");
            }

            y += row.Max(p => p.Height) + Margin;
        }

        if (foot is not null)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Margin}\" y=\"{y + 4}\" font-size=\"9\" fill=\"#5c6670\">{SecurityElement.Escape(foot)}</text>\n");
            y += 14;
        }

        File.WriteAllText(path, string.Create(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" height=\"{y}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#1f2328\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{Margin}\" y=\"21\" font-size=\"15\">{SecurityElement.Escape(title)}</text>\n{svg}</svg>\n"));
    }

    private Panel Open(string name, IReadOnlyList<string> series)
    {
        var panel = new Panel { Height = 18 };
        _panels.Add(panel);
        panel.Text(0, 12, name, size: 12);
        double x = 0;
        foreach (var s in series)
        {
            var width = 22 + (6.2 * s.Length);
            if (x > 0 && x + width > PanelWidth)
            {
                (x, panel.Height) = (0, panel.Height + Legend);
            }

            panel.Add($"<rect x=\"{x:0}\" y=\"{panel.Height + 2}\" width=\"10\" height=\"10\" fill=\"{Colour(s)}\"/>");
            panel.Text(x + 14, panel.Height + 11, s);
            x += width;
        }

        panel.Height += Legend + 6;
        return panel;
    }

    private string Colour(string series)
    {
        if (!_colours.Contains(series))
        {
            _colours.Add(series);
        }

        return Palette[_colours.IndexOf(series) % Palette.Length];
    }

    private static IEnumerable<double> Ticks(double low, double high, bool log)
    {
        if (log)
        {
            for (var tick = low; tick <= high * 1.0001; tick *= 10)
            {
                yield return tick;
            }

            yield break;
        }

        var step = Math.Pow(10, Math.Floor(Math.Log10(high / 3)));
        step *= high / step > 12 ? 5 : high / step > 6 ? 2 : 1;
        for (var tick = low; tick <= high; tick += step)
        {
            yield return tick;
        }
    }

    private static string Figure(double value) =>
        value.ToString(Math.Abs(value) >= 100 ? "#,0" : Math.Abs(value) >= 10 ? "0.#" : Math.Abs(value) >= 0.1 || value == 0 ? "0.##" : "0.####", CultureInfo.InvariantCulture);

    private sealed class Panel
    {
        public int Height { get; set; }
        public StringBuilder Body { get; } = new();

        public void Add(FormattableString line) => Body.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

        public void Text(double x, double y, string text, string anchor = "start", int size = 11) =>
            Add($"<text x=\"{x:0.0}\" y=\"{y:0.0}\" font-size=\"{size}\" text-anchor=\"{anchor}\">{SecurityElement.Escape(text)}</text>");
    }
}
