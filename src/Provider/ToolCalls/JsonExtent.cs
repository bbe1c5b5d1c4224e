namespace KvPrefetch.AI.ToolCalls;

/// <summary>Finds where a JSON value ends in a longer text, in one pass and without memory. It may still be no JSON: the parser says.</summary>
internal static class JsonExtent
{
    /// <returns>The index behind the object or array that begins at <paramref name="start"/>; -1 where none begins there or it does not end before <paramref name="limit"/>.</returns>
    public static int End(string text, int start, int limit)
    {
        if (start >= limit || text[start] is not ('{' or '['))
        {
            return -1;
        }

        var depth = 0;
        for (var i = start; i < limit; i++)
        {
            switch (text[i])
            {
                case '{' or '[':
                    depth++;
                    break;
                case '}' or ']':
                    if (--depth == 0)
                    {
                        return i + 1;
                    }

                    break;
                case '"':
                    i = StringEnd(text, i, limit) - 1;
                    if (i < 0)
                    {
                        return -1;
                    }

                    break;
                case ',' or ':' or '-' or '+' or '.' or ' ' or '\t' or '\r' or '\n' or (>= '0' and <= '9') or (>= 'a' and <= 'z') or 'E':
                    break;
                default:
                    return -1;
            }
        }

        return -1;
    }

    /// <returns>The index behind the string that begins at <paramref name="start"/>; 0 where it does not end.</returns>
    private static int StringEnd(string text, int start, int limit)
    {
        for (var i = start + 1; i < limit; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == '"')
            {
                return i + 1;
            }
        }

        return 0;
    }
}
