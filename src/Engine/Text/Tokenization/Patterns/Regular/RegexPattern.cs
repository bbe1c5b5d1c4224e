namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Any regular expression, with Oniguruma's meaning of it and of Unicode. A pattern that runs wild ends with a typed error.</summary>
internal sealed class RegexPattern(string source, string where) : Pattern
{
    [ThreadStatic]
    private static RegexStack? s_stack;

    private readonly RegexProgram _program = RegexProgram.Compile(source, where);

    public override void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches)
    {
        var stack = s_stack ??= new RegexStack();
        stack.Count = 0;
        var matcher = new RegexMatcher(_program, text, stack);
        var first = _program.First;
        var lastEnd = -1;
        for (var from = 0; from <= text.Length;)
        {
            matcher.SearchStart = from;
            var start = from;
            var end = -1;
            while (true)
            {
                if (first is null || (start < text.Length && first.Contains(CodePoints.At(text, start, out _))))
                {
                    end = matcher.MatchAt(start);
                    if (end >= 0)
                    {
                        break;
                    }
                }

                if (start >= text.Length)
                {
                    return;
                }

                _ = CodePoints.At(text, start, out var step);
                start += step;
            }

            // No empty match right behind the last match.
            if (start == end && end == lastEnd)
            {
                if (from >= text.Length)
                {
                    return;
                }

                _ = CodePoints.At(text, from, out var step);
                from += step;
                continue;
            }

            matches.Add(offset + start, offset + end);
            from = end;
            lastEnd = end;
        }
    }
}
