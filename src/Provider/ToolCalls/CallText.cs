namespace KvPrefetch.AI.ToolCalls;

/// <summary>A place in an answer's text, moved over what is expected there.</summary>
/// <param name="text">The answer from its first call on.</param>
/// <param name="at">Where to begin.</param>
/// <param name="limit">Index behind the last character that may be read.</param>
internal struct CallText(string text, int at, int limit)
{
    public readonly string Text => text;

    public int At { readonly get; set; } = at;

    public readonly int Limit => limit;

    public readonly bool AtEnd => At >= limit;

    public readonly char Current => At < limit ? text[At] : '\0';

    public void SkipSpace()
    {
        while (At < limit && char.IsWhiteSpace(text[At]))
        {
            At++;
        }
    }

    public readonly bool Sees(string literal) => limit - At >= literal.Length && text.AsSpan(At, literal.Length).SequenceEqual(literal);

    /// <summary>Steps over the literal if it is here.</summary>
    public bool Take(string literal)
    {
        if (!Sees(literal))
        {
            return false;
        }

        At += literal.Length;
        return true;
    }

    /// <summary>Steps over one of them if it is here.</summary>
    public bool TakeAny(IReadOnlyList<string> literals)
    {
        foreach (var literal in literals)
        {
            if (Take(literal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The text up to the literal, which is stepped over; null where it does not come.</summary>
    public string? UpTo(string literal)
    {
        var found = At <= limit ? text.AsSpan(At, limit - At).IndexOf(literal, StringComparison.Ordinal) : -1;
        if (found < 0)
        {
            return null;
        }

        var taken = text.Substring(At, found);
        At += found + literal.Length;
        return taken;
    }

    /// <summary>The JSON object or array that begins here, stepped over; null where none does or it does not end.</summary>
    public string? Json()
    {
        var end = JsonExtent.End(text, At, limit);
        if (end < 0)
        {
            return null;
        }

        var json = text[At..end];
        At = end;
        return json;
    }

    /// <summary>Letters, digits, '_', '-' and '.' that begin here.</summary>
    public string Word()
    {
        var start = At;
        while (At < limit && (char.IsAsciiLetterOrDigit(text[At]) || text[At] is '_' or '-' or '.'))
        {
            At++;
        }

        return text[start..At];
    }
}
