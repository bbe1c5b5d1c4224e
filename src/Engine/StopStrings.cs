using System.Text;

namespace KvPrefetch.Engine;

/// <summary>Watches streamed text for strings that end it. Text that may be the beginning of one is held back; text before one is given out, the string itself never.</summary>
internal sealed class StopStrings(IReadOnlyList<string> stops)
{
    private readonly int _longest = stops.Count == 0 ? 0 : stops.Max(s => s.Length);
    private readonly StringBuilder _held = new();

    /// <summary>True once a stop string was met; nothing comes out after that.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Adds text and returns what is certain not to belong to a stop string.</summary>
    public string Append(string text)
    {
        if (stops.Count == 0 || Stopped || text.Length == 0)
        {
            return Stopped ? "" : text;
        }

        _held.Append(text);
        var held = _held.ToString();
        var cut = stops.Select(s => held.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
        if (cut >= 0)
        {
            Stopped = true;
            _held.Clear();
            return held[..cut];
        }

        // The longest end of the text that begins some stop string stays.
        var keep = Math.Min(held.Length, _longest - 1);
        while (keep > 0 && !stops.Any(s => s.AsSpan().StartsWith(held.AsSpan(held.Length - keep), StringComparison.Ordinal)))
        {
            keep--;
        }

        _held.Remove(0, held.Length - keep);
        return held[..(held.Length - keep)];
    }

    /// <summary>What was held back, when no more text comes.</summary>
    public string Flush()
    {
        var held = _held.ToString();
        _held.Clear();
        return held;
    }
}
