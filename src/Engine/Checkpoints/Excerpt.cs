using System.Globalization;
using System.Text;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Text that somebody else wrote, made fit for a message: quoted, at most 80 characters, nothing that moves a cursor or reverses a line.</summary>
internal static class Excerpt
{
    public const int MaxLength = 80;

    /// <summary>The quoted text; null is shown as <c>(none)</c>.</summary>
    public static string Of(ReadOnlySpan<char> text)
    {
        var shown = new StringBuilder("'");
        var rest = text;
        while (!rest.IsEmpty)
        {
            var valid = Rune.DecodeFromUtf16(rest, out var rune, out var used) == System.Buffers.OperationStatus.Done;
            var piece = valid && IsPlain(rune) ? rest[..used].ToString()
                : valid ? string.Create(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}")
                : string.Create(CultureInfo.InvariantCulture, $"\\u{{{(int)rest[0]:x}}}");
            if (shown.Length + piece.Length > MaxLength - 4)
            {
                return shown.Append("...'").ToString();
            }

            shown.Append(piece);
            rest = rest[used..];
        }

        return shown.Append('\'').ToString();
    }

    /// <summary>Excerpts of the first twenty, and how many there are beyond.</summary>
    public static string List(IReadOnlyList<string> items)
    {
        const int most = 20;
        var text = string.Join(", ", items.Take(most).Select(i => Of(i)));
        return items.Count <= most ? text : string.Create(CultureInfo.InvariantCulture, $"{text} and {items.Count - most} more");
    }

    private static bool IsPlain(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
