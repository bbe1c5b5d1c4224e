using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>The <c>tojson</c> of transformers: Python's <c>json.dumps</c> without HTML escapes. Braces, quotes and separators are the template's, what is between the quotes is not.</summary>
internal sealed class JsonText
{
    private readonly RenderState state;
    private readonly TextBuilder text;
    private readonly bool ensureAscii;
    private readonly StringValue? indent;
    private readonly StringValue itemSeparator;
    private readonly StringValue keySeparator;
    private readonly bool sortKeys;
    private readonly List<Value> open = [];

    private JsonText(RenderState state, bool ensureAscii, StringValue? indent, StringValue itemSeparator, StringValue keySeparator, bool sortKeys)
    {
        this.state = state;
        text = new TextBuilder(state);
        (this.ensureAscii, this.indent, this.itemSeparator, this.keySeparator, this.sortKeys) = (ensureAscii, indent, itemSeparator, keySeparator, sortKeys);
    }

    public static StringValue Write(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        var ascii = bound[0] is { } a && Truth.Of(state, a);
        var sort = bound[3] is { } s && Truth.Of(state, s);
        StringValue? blanks = null;
        if (bound[1] is StringValue given)
        {
            blanks = given;
        }
        else if (bound[1] is not (null or NoneValue))
        {
            var repeated = new TextBuilder(state);
            repeated.AppendRepeated(new StringValue(" ", Provenance.Template), Math.Max(0, Numbers.Integer(state, bound[1]!)));
            blanks = repeated.ToValue();
        }

        var items = new StringValue(blanks is null ? ", " : ",", Provenance.Template);
        var keys = new StringValue(": ", Provenance.Template);
        if (bound[2] is not (null or NoneValue))
        {
            if (Sequences.ToList(state, bound[2]!) is not [StringValue first, StringValue second])
            {
                throw state.Raise("tojson: separators must be two strings");
            }

            (items, keys) = (first, second);
        }

        var json = new JsonText(state, ascii, blanks, items, keys, sort);
        json.Write(value);
        return json.text.ToValue();
    }

    private void Write(Value value)
    {
        state.Tick();
        switch (value)
        {
            case StringValue inner:
                WriteString(inner);
                break;
            case NoneValue:
                Structure("null");
                break;
            case BoolValue flag:
                Structure(flag.Value ? "true" : "false");
                break;
            case IntValue:
                text.Append(Printing.Str(state, value));
                break;
            case BigIntValue number:
                text.Append(number.Value.ToString(CultureInfo.InvariantCulture), Provenance.Content);
                break;
            case FloatValue number:
                text.Append(Number(number.Value), number.Provenance);
                break;
            case ListValue list:
                WriteList(value, list.Items);
                break;
            case TupleValue tuple:
                WriteList(value, tuple.Items);
                break;
            case DictValue dict:
                WriteDict(dict);
                break;
            default:
                throw state.Raise($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    private void WriteList(Value owner, IReadOnlyList<Value> items)
    {
        if (items.Count == 0)
        {
            Structure("[]");
            return;
        }

        Open(owner);
        Structure("[");
        for (var i = 0; i < items.Count; i++)
        {
            Separate(i == 0);
            Write(items[i]);
        }

        Close();
        Structure("]");
    }

    private void WriteDict(DictValue dict)
    {
        if (dict.Items.Count == 0)
        {
            Structure("{}");
            return;
        }

        var pairs = dict.Items.ToList();
        if (sortKeys)
        {
            pairs = [.. Sorting.Sort(state, pairs, pair => pair.Key)];
        }

        Open(dict);
        Structure("{");
        var isFirst = true;
        foreach (var (key, value) in pairs)
        {
            Separate(isFirst);
            isFirst = false;
            WriteString(Key(key));
            text.Append(keySeparator);
            Write(value);
        }

        Close();
        Structure("}");
    }

    private StringValue Key(Value key) => key switch
    {
        StringValue name => name,
        BoolValue flag => new StringValue(flag.Value ? "true" : "false", Provenance.Template),
        NoneValue => new StringValue("null", Provenance.Template),
        FloatValue number => new StringValue(Number(number.Value), number.Provenance),
        IntValue or BigIntValue => Printing.Str(state, key),
        _ => throw state.Raise($"keys must be str, int, float, bool or None, not {key.TypeName}"),
    };

    private void WriteString(StringValue value)
    {
        Structure("\"");
        var raw = value.Text;
        for (var i = 0; i < raw.Length;)
        {
            var plain = i;
            while (plain < raw.Length && raw[plain] is not ('"' or '\\' or < ' ') && (!ensureAscii || raw[plain] < '\u007f'))
            {
                plain++;
            }

            text.Append(value, i, plain - i);
            i = plain;
            if (i == raw.Length)
            {
                break;
            }

            text.Append(
                raw[i] switch
                {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    '\f' => "\\f",
                    '\b' => "\\b",
                    var c => $"\\u{(int)c:x4}",
                },
                value.At(i));
            i++;
        }

        Structure("\"");
    }

    private static string Number(double value)
        => double.IsFinite(value) ? PythonFloat.Repr(value) : double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

    private void Separate(bool isFirst)
    {
        if (!isFirst)
        {
            text.Append(itemSeparator);
        }

        NewLine();
    }

    private void NewLine()
    {
        if (indent is not null)
        {
            Structure("\n");
            text.AppendRepeated(indent, open.Count);
        }
    }

    private void Open(Value owner)
    {
        state.Step(4);
        if (open.Exists(value => ReferenceEquals(value, owner)))
        {
            throw state.Raise("Circular reference detected (cycle)");
        }

        if (open.Count >= Budget.ValueDepth)
        {
            throw state.Limit($"nesting of values; the limit is {Budget.ValueDepth}");
        }

        open.Add(owner);
    }

    private void Close()
    {
        open.RemoveAt(open.Count - 1);
        NewLine();
    }

    private void Structure(string sign) => text.Append(sign, Provenance.Template);
}
