namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Rewrites each character by itself.</summary>
internal abstract class CharacterNormalizer : Normalizer
{
    public sealed override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        var taint = state.Text.Taint;
        var output = state.OtherText;
        output.Reset(state.Text.TracksTaint);
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CodePoints.At(text, i, out var length);
            var before = output.Length;
            Rewrite(codePoint, taint.IsEmpty ? (byte)0 : taint[i], output);
            if (i == 0 && output.Length == before)
            {
                state.AtTextStart = false;
            }

            i += length;
        }

        state.SwapText();
    }

    protected abstract void Rewrite(int codePoint, byte taint, TextBuffer output);
}

internal sealed class LowercaseNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        if (codePoint < 0x80)
        {
            output.Append((char)(codePoint is >= 'A' and <= 'Z' ? codePoint | 0x20 : codePoint), taint);
            return;
        }

        if ((UnicodeMappings.Flags(codePoint) & UnicodeMappings.HasLowercase) == 0)
        {
            output.AppendCodePoint(codePoint, taint);
            return;
        }

        foreach (var part in UnicodeMappings.Lowercase(codePoint))
        {
            output.AppendCodePoint(part, taint);
        }
    }
}

/// <summary>Leaves out characters of a class.</summary>
internal sealed class RemoveNormalizer(CodePointFlags flags) : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        if (!CodePoints.Has(codePoint, flags))
        {
            output.AppendCodePoint(codePoint, taint);
        }
    }
}

/// <summary>BERT's cleaning: no control characters, every white space a space.</summary>
internal sealed class BertCleanNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        if (!CodePoints.Has(codePoint, CodePointFlags.BertControl))
        {
            output.AppendCodePoint(CodePoints.Has(codePoint, CodePointFlags.BertSpace) ? ' ' : codePoint, taint);
        }
    }
}

/// <summary>Spaces around Chinese characters.</summary>
internal sealed class ChineseSpacesNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        var chinese = codePoint is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
            or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
        if (chinese)
        {
            output.Append(' ', taint);
        }

        output.AppendCodePoint(codePoint, taint);
        if (chinese)
        {
            output.Append(' ', taint);
        }
    }
}

/// <summary>The cleaning of Google's NMT models.</summary>
internal sealed class NmtNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        switch (codePoint)
        {
            case (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                break;
            case 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD:
                output.Append(' ', taint);
                break;
            default:
                output.AppendCodePoint(codePoint, taint);
                break;
        }
    }
}

/// <summary>Every byte as a character of the byte alphabet.</summary>
internal sealed class ByteLevelNormalizer : CharacterNormalizer
{
    protected override void Rewrite(int codePoint, byte taint, TextBuffer output)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var b in utf8[..new System.Text.Rune(codePoint).EncodeToUtf8(utf8)])
        {
            output.Append(ByteAlphabet.ToChar(b), taint);
        }
    }
}
