using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's <c>str()</c> and <c>repr()</c>. Punctuation is the template's; characters of strings and digits of numbers stay with who gave them.</summary>
internal static class Printing
{
    private static readonly StringValue True = new("True", Provenance.Template);
    private static readonly StringValue False = new("False", Provenance.Template);
    private static readonly StringValue None = new("None", Provenance.Template);

    public static StringValue Str(RenderState state, Value value) => value switch
    {
        StringValue text => text.WithMarkup(markup: false),
        UndefinedValue => StringValue.Empty,
        BoolValue flag => flag.Value ? True : False,
        NoneValue => None,
        IntValue number => new StringValue(number.Value.ToString(CultureInfo.InvariantCulture), number.Provenance),
        _ => Repr(state, value),
    };

    public static StringValue Repr(RenderState state, Value value)
    {
        var text = new TextBuilder(state);
        Repr(state, text, value, open: null);
        return text.ToValue();
    }

    private static void Repr(RenderState state, TextBuilder text, Value value, List<Value>? open)
    {
        state.Tick();
        switch (value)
        {
            case StringValue inner:
                if (inner.IsMarkup)
                {
                    text.Append("Markup(", Provenance.Template);
                }

                ReprString(text, inner);
                if (inner.IsMarkup)
                {
                    text.Append(")", Provenance.Template);
                }

                break;
            case NoneValue or BoolValue or IntValue:
                state.Step();
                text.Append(Str(state, value));
                break;
            case BigIntValue number:
                text.Append(number.Value.ToString(CultureInfo.InvariantCulture), Provenance.Content);
                break;
            case FloatValue number:
                text.Append(PythonFloat.Repr(number.Value), number.Provenance);
                break;
            case UndefinedValue:
                text.Append("Undefined", Provenance.Template);
                break;
            case ListValue list:
                Items(state, text, "[", list.Items, "]", open, value);
                break;
            case TupleValue tuple:
                Items(state, text, "(", tuple.Items, tuple.Items.Length == 1 ? ",)" : ")", open, value);
                break;
            case DictValue dict:
                Pairs(state, text, dict.Items.Select(pair => (pair.Key, pair.Value)), open, value);
                break;
            case DictViewValue view:
                text.Append(view.TypeName + "(", Provenance.Template);
                Items(state, text, "[", Sequences.ToList(state, view), "])", open, value);
                break;
            case NamespaceValue target:
                text.Append("<Namespace ", Provenance.Template);
                Pairs(state, text, target.Attributes.Select(pair => ((Value)new StringValue(pair.Key, Provenance.Template), pair.Value)), open, value);
                text.Append(">", Provenance.Template);
                break;
            case RangeValue range:
                text.Append(
                    string.Create(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}{(range.Step == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $", {range.Step}"))})"),
                    Provenance.Template);
                break;
            case MacroValue macro:
                text.Append(macro.Definition.Name is null ? "<Macro anonymous>" : $"<Macro '{macro.Definition.Name}'>", Provenance.Template);
                break;
            case LoopValue loop:
                text.Append(loop.Describe(), Provenance.Template);
                break;
            case SliceValue slice:
                Items(state, text, "slice(", [slice.Start, slice.Stop, slice.Step], ")", open, value);
                break;
            default:
                // Python prints an address too; no two runs give the same, so nothing can depend on it.
                text.Append($"<{value.TypeName} object>", Provenance.Template);
                break;
        }
    }

    private static void Items(RenderState state, TextBuilder text, string start, IEnumerable<Value> items, string end, List<Value>? open, Value owner)
    {
        open = Open(state, open, owner);
        text.Append(start, Provenance.Template);
        var isFirst = true;
        foreach (var item in items)
        {
            text.Append(isFirst ? "" : ", ", Provenance.Template);
            isFirst = false;
            Repr(state, text, item, open);
        }

        text.Append(end, Provenance.Template);
        open.RemoveAt(open.Count - 1);
    }

    private static void Pairs(RenderState state, TextBuilder text, IEnumerable<(Value Key, Value Value)> pairs, List<Value>? open, Value owner)
    {
        open = Open(state, open, owner);
        text.Append("{", Provenance.Template);
        var isFirst = true;
        foreach (var (key, value) in pairs)
        {
            text.Append(isFirst ? "" : ", ", Provenance.Template);
            isFirst = false;
            Repr(state, text, key, open);
            text.Append(": ", Provenance.Template);
            Repr(state, text, value, open);
        }

        text.Append("}", Provenance.Template);
        open.RemoveAt(open.Count - 1);
    }

    private static List<Value> Open(RenderState state, List<Value>? open, Value owner)
    {
        open ??= [];
        state.Step(4);
        if (open.Exists(value => ReferenceEquals(value, owner)))
        {
            throw state.Raise("the value contains itself (cycle)");
        }

        if (open.Count >= Budget.ValueDepth)
        {
            throw state.Limit($"nesting of values; the limit is {Budget.ValueDepth}");
        }

        open.Add(owner);
        return open;
    }

    private static void ReprString(TextBuilder text, StringValue value)
    {
        var raw = value.Text;
        var quote = raw.Contains('\'', StringComparison.Ordinal) && !raw.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote, Provenance.Template);
        for (var i = 0; i < raw.Length; i += value.UnitLength(i))
        {
            var code = PythonText.CodePoint(raw, i);
            var provenance = value.At(i);
            switch (code)
            {
                case '\n':
                    text.Append("\\n", provenance);
                    break;
                case '\r':
                    text.Append("\\r", provenance);
                    break;
                case '\t':
                    text.Append("\\t", provenance);
                    break;
                case '\\':
                    text.Append("\\\\", provenance);
                    break;
                default:
                    if (code == quote)
                    {
                        text.Append("\\" + quote, provenance);
                    }
                    else if (PythonText.IsPrintable(code))
                    {
                        text.Append(raw.AsSpan(i, value.UnitLength(i)), provenance);
                    }
                    else
                    {
                        text.Append(code < 0x100 ? $"\\x{code:x2}" : code < 0x10000 ? $"\\u{code:x4}" : $"\\U{code:x8}", provenance);
                    }

                    break;
            }
        }

        text.Append(quote, Provenance.Template);
    }
}
