using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Arguments that a format writes as bare words between tags: what they are, their schema says, and their looks where it does not.</summary>
internal static class BareValues
{
    /// <param name="json">Receives the value.</param>
    /// <param name="value">As written between the tags.</param>
    /// <param name="isText">What the schema says; null where it says nothing.</param>
    public static void Write(Utf8JsonWriter json, string value, bool? isText)
    {
        if (isText != true && LooksLikeValue(value, isText))
        {
            try
            {
                using var document = ToolCall.Parse(value);
                document.RootElement.WriteTo(json);
                return;
            }
            catch (Exception e) when (ToolCall.IsUnreadable(e))
            {
                var place = new CallText(value, 0, value.Length);
                if (JsonWriting.Json(ref place, Python) is { } python)
                {
                    json.WriteRawValue(python);
                    return;
                }
            }
        }

        json.WriteStringValue(value);
    }

    /// <summary>One line break after the opening tag and one before the closing one belong to the tags.</summary>
    public static string Trim(string value)
    {
        var from = value.StartsWith('\n') ? 1 : 0;
        var to = value.Length > from && value.EndsWith('\n') ? value.Length - 1 : value.Length;
        return value[from..to];
    }

    private static bool Python(ref CallText text, Utf8JsonWriter json)
    {
        if (!Literals.Python(ref text, json))
        {
            return false;
        }

        text.SkipSpace();
        return text.AtEnd;
    }

    private static bool LooksLikeValue(string value, bool? isText) => isText == false || value.AsSpan().Trim() switch
    {
        ['{', ..] or ['[', ..] or "true" or "false" or "null" or "True" or "False" or "None" => true,
        ['-' or (>= '0' and <= '9'), ..] => true,
        _ => false,
    };
}
