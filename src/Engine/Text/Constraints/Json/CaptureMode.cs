using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Reads an item of an array whose items must differ, and notes its text. The value numbers what is being read inside together with the text so far.</summary>
internal sealed class CaptureMode : JsonMode
{
    private readonly List<State> _states = [];
    private readonly Dictionary<State, int> _ids = [];

    public CaptureMode(SchemaProgram program) : base(program)
    {
    }

    public Cursor Begin(ItemSlot slot, ReturnStack? stack)
        => At(new State(slot, new Cursor(slot.Context.Value, 0, Program.DeepExit(1 + (stack?.Depth ?? 0))), ""), stack);

    public override Cursor Step(in Cursor at, byte b)
    {
        var state = _states[at.Value];
        var next = state.Inner.Step(b);
        if (next.IsDead)
        {
            return default;
        }

        if (next.Mode is ExitMode exit)
        {
            var before = ExitMode.IsBefore(next);
            var behind = state.Slot.Return(exit.Failed(next), Canonical(before ? state.Text : state.Text + (char)b), at.Stack);
            return before && !behind.IsDead ? behind.Step(b) : behind;
        }

        return At(new State(state.Slot, next, state.Text + (char)b), at.Stack);
    }

    protected override bool TakesSpace(int value) => false;

    public override void Fill(in Cursor at, MaskWalk walk)
    {
        var state = _states[at.Value];
        if (state.Inner.Mode is JsonMode inner)
        {
            // What stays inside does not depend on the text; what leaves is tried token by token.
            var (start, stack) = (at, at.Stack);
            walk.FillInside(inner, state.Inner, start);
            return;
        }

        walk.Walk(walk.Vocabulary.Trie, at);
    }

    private Cursor At(State state, ReturnStack? stack)
    {
        if (!_ids.TryGetValue(state, out var id))
        {
            _ids.Add(state, id = _states.Count);
            _states.Add(state);
            Program.Charge(120 + (2 * state.Text.Length));
        }

        return new Cursor(this, id, stack);
    }

    /// <summary>A form in which equal values are equal: numbers by value, strings by their characters, members in order.</summary>
    private static string Canonical(string latin1)
    {
        var bytes = Encoding.Latin1.GetBytes(latin1);
        using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = ReturnStack.MaxDepth + 2 });
        var text = new StringBuilder();
        CanonicalJson.Write(document.RootElement, text);
        return text.ToString();
    }

    private readonly record struct State(ItemSlot Slot, Cursor Inner, string Text);
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
