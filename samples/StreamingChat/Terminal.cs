using System.Text;
using KvPrefetch.Engine;
using Spectre.Console;

namespace KvPrefetch.Samples.StreamingChat;

/// <summary>Where text goes. Answers go to standard output; everything else too on a terminal, to standard error where output is piped.</summary>
internal static class Terminal
{
    /// <summary>A person is typing and watching.</summary>
    public static bool IsInteractive { get; } = !Console.IsInputRedirected && !Console.IsOutputRedirected;

    private static bool IsWatched { get; } = !Console.IsOutputRedirected;

    public static void Write(string text) => Console.Out.Write(IsWatched ? Printable(text) : text);

    public static void EndLine() => Console.Out.WriteLine();

    /// <summary>A line beside the answer: figures, hints.</summary>
    public static void Aside(string line)
    {
        if (IsWatched)
        {
            AnsiConsole.MarkupLineInterpolated($"[grey]{line}[/]");
        }
        else
        {
            Console.Error.WriteLine(line);
        }
    }

    public static void Failure(string sentence) => Console.Error.WriteLine(sentence);

    /// <summary>The next message, or null at the end of input.</summary>
    public static string? ReadMessage()
    {
        if (IsInteractive)
        {
            AnsiConsole.Markup("[green]>[/] ");
        }

        return Console.In.ReadLine();
    }

    /// <summary>Loads with a progress bar on a terminal and without a word elsewhere.</summary>
    public static T WithProgress<T>(Func<IProgress<ModelLoadProgress>?, T> load) =>
        !IsWatched || Console.IsErrorRedirected
            ? load(null)
            : AnsiConsole.Progress().AutoClear(enabled: true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
                .Start(context => load(new Bar(context.AddTask("loading", maxValue: 1))));

    /// <summary>A model may write escape sequences; a terminal must not obey them.</summary>
    private static string Printable(string text)
    {
        if (!text.Any(IsUnprintable))
        {
            return text;
        }

        var printable = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            printable.Append(IsUnprintable(c) ? '\uFFFD' : c);
        }

        return printable.ToString();
    }

    private static bool IsUnprintable(char c) => char.IsControl(c) && c is not ('\n' or '\r' or '\t');

    /// <summary>Reports on the thread that loads; <see cref="Progress{T}"/> would post to the pool and come late.</summary>
    private sealed class Bar(ProgressTask task) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value)
        {
            task.Description = Markup.Escape(value.Stage);
            task.Value = value.Fraction;
        }
    }
}
