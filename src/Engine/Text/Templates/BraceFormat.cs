using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's <c>'{}'.format(...)</c> with the sandbox's rules for attributes.</summary>
internal sealed class BraceFormat
{
    private readonly RenderState state;
    private readonly Value[] positional;
    private readonly List<KeyValuePair<string, Value>> named;
    private readonly Value? mapping;
    private readonly bool escape;
    private int automatic;

    private BraceFormat(RenderState state, Value[] positional, List<KeyValuePair<string, Value>> named, Value? mapping, bool escape)
        => (this.state, this.positional, this.named, this.mapping, this.escape) = (state, positional, named, mapping, escape);

    public static StringValue Apply(RenderState state, StringValue format, Value[] positional, List<KeyValuePair<string, Value>> named, Value? mapping)
        => new BraceFormat(state, positional, named, mapping, format.IsMarkup).Run(format, depth: 2).WithMarkup(format.IsMarkup);

    private StringValue Run(StringValue format, int depth)
    {
        var text = format.Text;
        var result = new TextBuilder(state);
        for (var i = 0; i < text.Length;)
        {
            var brace = text.AsSpan(i).IndexOfAny('{', '}');
            var end = brace < 0 ? text.Length : i + brace;
            result.Append(format, i, end - i);
            i = end;
            if (i == text.Length)
            {
                break;
            }

            if (i + 1 < text.Length && text[i + 1] == text[i])
            {
                result.Append(format, i, 1);
                i += 2;
                continue;
            }

            if (text[i] == '}')
            {
                throw state.Raise("Single '}' encountered in format string");
            }

            var close = FieldEnd(text, i + 1);
            result.Append(Field(format.Slice(state, i + 1, close - i - 1), depth));
            i = close + 1;
        }

        return result.ToValue();
    }

    // Position of the brace that closes a field; braces inside (a nested format) count.
    private int FieldEnd(string text, int start)
    {
        var open = 1;
        for (var i = start; i < text.Length; i++)
        {
            open += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
            if (open == 0)
            {
                return i;
            }
        }

        throw state.Raise("expected '}' before end of string");
    }

    private StringValue Field(StringValue field, int depth)
    {
        if (depth == 0)
        {
            throw state.Raise("Max string recursion exceeded");
        }

        state.Step();
        var text = field.Text;
        var nameEnd = 0;
        for (var brackets = 0; nameEnd < text.Length; nameEnd++)
        {
            brackets += text[nameEnd] == '[' ? 1 : text[nameEnd] == ']' ? -1 : 0;
            if (brackets <= 0 && text[nameEnd] is ':' or '!')
            {
                break;
            }
        }

        var value = Lookup(text[..nameEnd]);
        var at = nameEnd;
        if (at < text.Length && text[at] == '!')
        {
            var conversion = at + 1 < text.Length ? text[at + 1] : '\0';
            value = conversion switch
            {
                's' => Printing.Str(state, value),
                'r' or 'a' => Printing.Repr(state, value),
                _ => throw state.Raise("unknown conversion specifier in a format string"),
            };
            at += 2;
            if (at < text.Length && text[at] != ':')
            {
                throw state.Raise("expected ':' after conversion specifier");
            }
        }

        var spec = at < text.Length ? Run(field.Slice(state, at + 1, text.Length - at - 1), depth - 1) : StringValue.Empty;
        if (spec.Text.Length == 0)
        {
            var plain = value is StringValue { IsMarkup: true } marked && escape ? marked : Printing.Str(state, value);
            return escape ? PythonText.Escape(state, plain).WithMarkup(markup: false) : plain;
        }

        if (value is UndefinedValue)
        {
            throw state.Raise("unsupported format string passed to Undefined.__format__");
        }

        var formatted = FormatSpec.Parse(state, spec.Text).Apply(state, value);
        return escape ? PythonText.Escape(state, formatted.WithMarkup(markup: false)).WithMarkup(markup: false) : formatted;
    }

    private Value Lookup(string path)
    {
        var end = path.AsSpan().IndexOfAny('.', '[');
        var first = end < 0 ? path : path[..end];
        var value = First(first);
        for (var i = end < 0 ? path.Length : end; i < path.Length;)
        {
            state.Step();
            if (path[i] == '.')
            {
                var stop = path.AsSpan(i + 1).IndexOfAny('.', '[');
                stop = stop < 0 ? path.Length : i + 1 + stop;
                if (stop == i + 1)
                {
                    throw state.Raise("Empty attribute in format string");
                }

                value = Members.Attribute(state, value, path[(i + 1)..stop]);
                i = stop;
            }
            else if (path[i] == '[')
            {
                var stop = path.IndexOf(']', i);
                if (stop <= i + 1)
                {
                    throw state.Raise(stop < 0 ? "Missing ']' in format string" : "Empty attribute in format string");
                }

                var index = path[(i + 1)..stop];
                value = Members.Item(state, value, TryIndex(index, out var number) ? IntValue.Of(number) : new StringValue(index, Provenance.Template));
                i = stop + 1;
            }
            else
            {
                throw state.Raise("Only '.' or '[' may follow ']' in format field specifier");
            }
        }

        return value;
    }

    private Value First(string name)
    {
        if (name.Length == 0 || TryIndex(name, out _))
        {
            if (name.Length == 0 ? automatic < 0 : automatic > 0)
            {
                throw state.Raise("cannot switch between manual and automatic field numbering");
            }

            long index;
            if (name.Length == 0)
            {
                index = automatic++;
            }
            else
            {
                TryIndex(name, out index);
                automatic = -1;
            }

            return index < positional.Length ? positional[index] : throw state.Raise($"Replacement index {index} out of range for positional args tuple");
        }

        if (mapping is not null)
        {
            return mapping is DictValue dict && dict.Items.TryGetValue(new StringValue(name, Provenance.Template), out var found) ? found : throw Missing(name);
        }

        var at = named.FindIndex(pair => pair.Key == name);
        return at < 0 ? throw Missing(name) : named[at].Value;
    }

    private ChatTemplateException Missing(string name) => state.Raise($"KeyError: '{Shorten.Text(name)}'");

    private static bool TryIndex(string text, out long index)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out index);
}
