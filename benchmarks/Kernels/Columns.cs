using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>A figure computed from a row's mean time and its <see cref="KernelCase"/>.</summary>
/// <param name="name">Heading.</param>
/// <param name="legend">Said under the table.</param>
/// <param name="figure">From the case and seconds per call.</param>
internal sealed class FigureColumn(string name, string legend, Func<KernelCase, double, double> figure) : IColumn
{
    public string Id => "KvPrefetch." + name;
    public string ColumnName => name;
    public string Legend => legend;
    public bool AlwaysShow => true;
    public ColumnCategory Category => ColumnCategory.Custom;
    public int PriorityInCategory => 0;
    public bool IsNumeric => true;
    public UnitType UnitType => UnitType.Dimensionless;
    public bool IsAvailable(Summary summary) => true;
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
    {
        var statistics = summary[benchmarkCase]?.ResultStatistics;
        return statistics is null || benchmarkCase.Parameters["Kernel"] is not KernelCase kernel
            ? "?"
            : figure(kernel, statistics.Mean / 1e9).ToString("F1", CultureInfo.InvariantCulture);
    }
}
