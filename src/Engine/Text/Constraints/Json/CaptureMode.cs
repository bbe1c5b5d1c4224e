using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Reads an item of an array whose items must differ, and notes its text: one object a byte, since no two texts are expected to meet.</summary>
/// <param name="slot">Where the item ends.</param>
/// <param name="inner">What is being read inside; its stack ends in an exit.</param>
/// <param name="before">The same one byte before; null at the start.</param>
/// <param name="last">The byte read last.</param>
internal sealed class CaptureMode(ItemSlot slot, Cursor inner, CaptureMode? before, byte last) : Mode
{
    private readonly int _length = before is null ? 0 : before._length + 1;

    public static Cursor Begin(ItemSlot slot, ReturnStack? stack)
        => new(new CaptureMode(slot, new Cursor(slot.Context.Value, 0, slot.Context.Program.DeepExit(1 + (stack?.Depth ?? 0))), null, 0), 0, stack);

    public override Cursor Step(in Cursor at, byte b)
    {
        var next = inner.Step(b);
        if (next.IsDead)
        {
            return default;
        }

        var behind = new CaptureMode(slot, next, this, b);
        if (next.Mode is not ExitMode exit)
        {
            return at with { Mode = behind };
        }

        var isBefore = ExitMode.IsBefore(next);
        var returned = slot.Return(exit.Failed(next), Canonical((isBefore ? this : behind).Text()), at.Stack);
        return isBefore && !returned.IsDead ? returned.Step(b) : returned;
    }

    /// <summary>What stays inside does not depend on the text; what leaves is tried token by token.</summary>
    public override void Fill(in Cursor at, MaskWalk walk)
    {
        if (inner.Mode is StringMode && inner.Value >= 0 && inner.Stack!.Depth == slot.Context.Program.DeepExit(1 + (at.Stack?.Depth ?? 0)).Depth && DecodedString() is { } decoded)
        {
            // As if nothing were equal; then tokens that complete a string which is there already are tried one by one.
            inner.Mode.Fill(inner with { Stack = new ReturnStack(new AnyItemSlot(slot, at.Stack), null) }, walk);
            walk.Retry(walk.Vocabulary.Strings.ClosingEscaped, at);
            // A token may hold a further string that is equal to this one.
            walk.Retry(walk.Vocabulary.Strings.ClosingSeveral, at);
            for (var items = slot.Frame.State.Items; items is not null; items = items.Before)
            {
                if (items.Text is { } text && text.AsSpan().StartsWith(decoded) && walk.Vocabulary.Trie.Find(text.AsSpan(decoded.Length), (byte)'"') is >= 0 and var node)
                {
                    walk.Retry(walk.Vocabulary.Trie, at, node);
                }
            }
        }
        else if (inner.Mode is StringMode { } text && inner.Stack!.Depth == slot.Context.Program.DeepExit(1 + (at.Stack?.Depth ?? 0)).Depth)
        {
            walk.FillInside(text, inner, at);
        }
        else
        {
            var stack = at.Stack;
            Cursor? returned = null;
            walk.FillUpToExits(inner, at, failed => returned ??= slot.Return(failed, Canonical(Text()), stack));
        }
    }

    /// <summary>What was read of a string without escapes, behind its quote; null for anything else.</summary>
    private byte[]? DecodedString()
    {
        var text = Text();
        var quote = Array.IndexOf(text, (byte)'"');
        return quote < 0 || Array.IndexOf(text, (byte)'\\') >= 0 ? null : text[(quote + 1)..];
    }

    private byte[] Text()
    {
        var text = new byte[_length];
        for (var node = this; node._length > 0; node = node.Before!)
        {
            text[node._length - 1] = node.Last;
        }

        return text;
    }

    private CaptureMode? Before => before;

    private byte Last => last;

    /// <summary>A form in which equal values are equal: numbers by value, strings by their characters, members in order.</summary>
    private static string Canonical(byte[] bytes)
    {
        using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = ReturnStack.MaxDepth + 2 });
        var text = new StringBuilder();
        CanonicalJson.Write(document.RootElement, text);
        return text.ToString();
    }
}

/// <summary>The end of an item, whatever it is.</summary>
internal sealed class AnyItemSlot(ItemSlot slot, ReturnStack? outer) : Slot
{
    public override Cursor Return(Bits failed, ReturnStack? stack) => slot.Return(failed, outer);

    protected override bool Decide(Bits failed) => slot.Allows(failed);

    protected override bool DecideFinally(Bits failed) => slot.Accepts(failed);
}

/// <summary>JSON values as text in which equal values are equal texts.</summary>
internal static class CanonicalJson
{
    public static void Write(JsonElement value, StringBuilder text)
    {
        Deep.Check();
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                var members = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
                foreach (var member in value.EnumerateObject())
                {
                    members[member.Name] = member.Value;
                }

                foreach (var (name, inner) in members)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{name.Length}:{name}=");
                    Write(inner, text);
                }

                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (var item in value.EnumerateArray())
                {
                    Write(item, text);
                    text.Append(',');
                }

                text.Append(']');
                break;
            case JsonValueKind.String:
                var s = value.GetString()!;
                text.Append(CultureInfo.InvariantCulture, $"\"{s.Length}:{s}");
                break;
            case JsonValueKind.Number:
                var raw = value.GetRawText();
                text.Append(Regular.Decimal10.Parse(raw) is { } number ? $"#{(number.Negative ? "-" : "")}{number.Whole}.{number.Fraction}" : "#" + raw);
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }
}
