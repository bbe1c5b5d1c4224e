namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Puts a text before anything that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override void Apply(EncodeState state)
    {
        if (state.Text.Length == 0)
        {
            return;
        }

        state.OtherText.Reset(state.Text.TracksTaint);
        state.OtherText.Append(prefix);
        state.OtherText.Append(state.Text.Span, state.Text.Taint);
        state.SwapText();
    }
}

/// <summary>Takes white space from the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        int start = 0, end = text.Length;
        while (left && start < end && CodePoints.Has(text[start], CodePointFlags.Space))
        {
            start++;
        }

        while (right && end > start && CodePoints.Has(text[end - 1], CodePointFlags.Space))
        {
            end--;
        }

        if (end - start == text.Length)
        {
            return;
        }

        state.AtTextStart &= start == 0;
        var taint = state.Text.Taint;
        state.OtherText.Reset(state.Text.TracksTaint);
        state.OtherText.Append(text[start..end], taint.IsEmpty ? taint : taint[start..end]);
        state.SwapText();
    }
}

/// <summary>Replaces every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(Pattern pattern, string content) : Normalizer
{
    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        var taint = state.Text.Taint;
        state.Matches.Clear();
        pattern.FindAll(text, 0, state.Matches);
        if (state.Matches.Count == 0)
        {
            return;
        }

        var output = state.OtherText;
        output.Reset(state.Text.TracksTaint);
        var at = 0;
        foreach (var match in state.Matches.Span)
        {
            output.Append(text[at..match.Start], taint.IsEmpty ? taint : taint[at..match.Start]);
            // Whoever wrote any of what is replaced wrote the replacement; an empty match is the tokenizer's own.
            output.Append(content, taint.IsEmpty || taint[match.Start..match.End].IndexOf((byte)1) < 0 ? (byte)0 : (byte)1);
            if (match.Start == 0 && match.End > 0 && content.Length == 0)
            {
                state.AtTextStart = false;
            }

            at = match.End;
        }

        output.Append(text[at..], taint.IsEmpty ? taint : taint[at..]);
        state.SwapText();
    }
}
