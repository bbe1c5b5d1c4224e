using System.Globalization;
using System.Text;
using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Values that are not quite JSON, rewritten as JSON: Python's, and Gemma's with their own quotes. At most 64 deep.</summary>
internal static class Literals
{
    private const int MaxDepth = 64;

    /// <summary>Rewrites the Python literal that begins here: text in either quotes, numbers, True, False, None, lists, tuples, dicts; JSON's words too.</summary>
    public static bool Python(ref CallText text, Utf8JsonWriter json, int depth = 0)
    {
        text.SkipSpace();
        switch (text.Current)
        {
            case '"' or '\'':
                if (Quoted(ref text) is not { } quoted)
                {
                    return false;
                }

                json.WriteStringValue(quoted);
                return true;
            case '[':
                return depth < MaxDepth && List(ref text, json, ']', depth);
            case '(':
                return depth < MaxDepth && List(ref text, json, ')', depth);
            case '{':
                return depth < MaxDepth && Dictionary(ref text, json, depth);
            default:
                return Word(text.Word(), json);
        }
    }

    /// <summary>Rewrites Gemma's value: text between <paramref name="quote"/>, keys bare or quoted, the rest as JSON.</summary>
    public static bool Gemma(ref CallText text, Utf8JsonWriter json, string quote, int depth = 0)
    {
        text.SkipSpace();
        if (text.Take(quote))
        {
            if (text.UpTo(quote) is not { } quoted)
            {
                return false;
            }

            json.WriteStringValue(quoted);
            return true;
        }

        if (text.Current is not ('{' or '['))
        {
            return text.Current is '"' ? Python(ref text, json) : Word(text.Word(), json);
        }

        if (depth == MaxDepth)
        {
            return false;
        }

        var isObject = text.Take("{");
        if (isObject)
        {
            json.WriteStartObject();
        }
        else
        {
            text.At++;
            json.WriteStartArray();
        }

        var end = isObject ? "}" : "]";
        while (true)
        {
            text.SkipSpace();
            if (text.Take(end))
            {
                break;
            }

            if (isObject)
            {
                var key = text.Take(quote) ? text.UpTo(quote) : text.Current is '"' ? Quoted(ref text) : text.Word();
                text.SkipSpace();
                if (string.IsNullOrEmpty(key) || !text.Take(":"))
                {
                    return false;
                }

                json.WritePropertyName(key);
            }

            if (!Gemma(ref text, json, quote, depth + 1))
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take(",") && !text.Sees(end))
            {
                return false;
            }
        }

        if (isObject)
        {
            json.WriteEndObject();
        }
        else
        {
            json.WriteEndArray();
        }

        return true;
    }

    private static bool List(ref CallText text, Utf8JsonWriter json, char end, int depth)
    {
        text.At++;
        json.WriteStartArray();
        while (true)
        {
            text.SkipSpace();
            if (text.Current == end)
            {
                text.At++;
                json.WriteEndArray();
                return true;
            }

            if (!Python(ref text, json, depth + 1))
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take(",") && text.Current != end)
            {
                return false;
            }
        }
    }

    private static bool Dictionary(ref CallText text, Utf8JsonWriter json, int depth)
    {
        text.At++;
        json.WriteStartObject();
        while (true)
        {
            text.SkipSpace();
            if (text.Take("}"))
            {
                json.WriteEndObject();
                return true;
            }

            if (text.Current is not ('"' or '\'') || Quoted(ref text) is not { } key)
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take(":"))
            {
                return false;
            }

            json.WritePropertyName(key);
            if (!Python(ref text, json, depth + 1))
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take(",") && text.Current != '}')
            {
                return false;
            }
        }
    }

    private static bool Word(string word, Utf8JsonWriter json)
    {
        switch (word)
        {
            case "True" or "true":
                json.WriteBooleanValue(true);
                return true;
            case "False" or "false":
                json.WriteBooleanValue(false);
                return true;
            case "None" or "null":
                json.WriteNullValue();
                return true;
        }

        if (long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
        {
            json.WriteNumberValue(integer);
            return true;
        }

        if (word.Length > 0 && double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number))
        {
            json.WriteNumberValue(number);
            return true;
        }

        return false;
    }

    /// <summary>The Python or JSON string that begins here; null where it does not end.</summary>
    private static string? Quoted(ref CallText text)
    {
        var quote = text.Current;
        var value = new StringBuilder();
        for (text.At++; !text.AtEnd; text.At++)
        {
            var c = text.Current;
            if (c == quote)
            {
                text.At++;
                return value.ToString();
            }

            if (c != '\\')
            {
                value.Append(c);
                continue;
            }

            text.At++;
            switch (text.Current)
            {
                case 'n':
                    value.Append('\n');
                    break;
                case 't':
                    value.Append('\t');
                    break;
                case 'r':
                    value.Append('\r');
                    break;
                case 'b':
                    value.Append('\b');
                    break;
                case 'f':
                    value.Append('\f');
                    break;
                case 'x' or 'u':
                    var digits = text.Current == 'x' ? 2 : 4;
                    if (text.Limit - text.At <= digits
                        || !ushort.TryParse(text.Text.AsSpan(text.At + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
                    {
                        return null;
                    }

                    value.Append((char)unit);
                    text.At += digits;
                    break;
                case '\0':
                    return null;
                case var other and ('\\' or '\'' or '"' or '/'):
                    value.Append(other);
                    break;
                case var other:
                    value.Append('\\').Append(other);
                    break;
            }
        }

        return null;
    }
}
