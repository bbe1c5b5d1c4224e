using System.Buffers.Binary;
using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>SentencePiece's compiled character map: a double-array trie from UTF-8 to replacements. A grapheme shorter than six bytes is looked up whole, else character by
/// character; the shortest entry that is a prefix counts and replaces all of it (so the reference does it, and models were trained with it).</summary>
internal sealed class PrecompiledNormalizer : Normalizer
{
    private const byte Extends = 1, NoExtension = 2, Prepends = 4, Pictograph = 8;
    private const int WholeGrapheme = 6;

    private static readonly byte[] s_graphemes = CodePoints.Expand(UnicodeTables.Graphemes);

    private readonly uint[] _units;
    private readonly byte[] _replacements;

    public PrecompiledNormalizer(byte[] charsmap)
    {
        if (charsmap.Length < 4)
        {
            throw Invalid("has no header");
        }

        var size = BinaryPrimitives.ReadUInt32LittleEndian(charsmap);
        if (size % 4 != 0 || size > charsmap.Length - 4)
        {
            throw Invalid($"says that its trie has {size} bytes, of {charsmap.Length - 4}");
        }

        _units = new uint[size / 4];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(charsmap.AsSpan(4 + (i * 4)));
        }

        _replacements = charsmap[(4 + (int)size)..];
        // The replacements become text, so they must be UTF-8; and each ends with a zero or with the table.
        if (!System.Text.Unicode.Utf8.IsValid(_replacements))
        {
            throw Invalid("holds replacements that are not UTF-8");
        }
    }

    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        var taint = state.Text.Taint;
        var output = state.OtherText;
        output.Reset(state.Text.TracksTaint);
        var modified = false;
        for (var start = 0; start < text.Length;)
        {
            var end = GraphemeEnd(text, start, out var bytes);
            if (bytes < WholeGrapheme && TryReplace(text[start..end], TaintOf(taint, start, end), output))
            {
                modified = true;
                start = end;
                continue;
            }

            while (start < end)
            {
                _ = CodePoints.At(text, start, out var length);
                var source = TaintOf(taint, start, start + length);
                if (TryReplace(text.Slice(start, length), source, output))
                {
                    modified = true;
                }
                else
                {
                    output.Append(text.Slice(start, length), source);
                }

                start += length;
            }
        }

        if (modified)
        {
            state.SwapText();
        }
    }

    private static byte TaintOf(ReadOnlySpan<byte> taint, int start, int end) => taint.IsEmpty || taint[start..end].IndexOf((byte)1) < 0 ? (byte)0 : (byte)1;

    private bool TryReplace(ReadOnlySpan<char> text, byte taint, TextBuffer output)
    {
        Span<byte> utf8 = stackalloc byte[16];
        var at = Find(utf8[..Encoding.UTF8.GetBytes(text, utf8)]);
        if (at < 0)
        {
            return false;
        }

        var replacement = _replacements.AsSpan(at);
        var length = replacement.IndexOf((byte)0);
        replacement = length < 0 ? replacement : replacement[..length];
        Span<char> chars = replacement.Length <= 256 ? stackalloc char[256] : new char[replacement.Length];
        output.Append(chars[..Encoding.UTF8.GetChars(replacement, chars)], taint);
        return true;
    }

    /// <summary>Where the replacement of the shortest prefix of the key begins, or -1.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        if (_units.Length == 0)
        {
            return -1;
        }

        var position = Offset(_units[0]);
        foreach (var b in key)
        {
            if (b == 0)
            {
                return -1;
            }

            position ^= b;
            if (position >= _units.Length)
            {
                return -1;
            }

            var unit = _units[position];
            if ((unit & 0x800000FF) != b)
            {
                return -1;
            }

            position ^= Offset(unit);
            if ((unit & 0x100) != 0)
            {
                var value = position < _units.Length ? _units[position] & 0x7FFFFFFF : uint.MaxValue;
                return value <= _replacements.Length && IsBoundary((int)value) ? (int)value : -1;
            }
        }

        return -1;
    }

    private bool IsBoundary(int at) => at == _replacements.Length || (_replacements[at] & 0xC0) != 0x80;

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1 << 9)) >> 6);

    /// <summary>End of the grapheme, exact as far as graphemes below six bytes go.</summary>
    private static int GraphemeEnd(ReadOnlySpan<char> text, int start, out int bytes)
    {
        var codePoint = CodePoints.At(text, start, out var length);
        bytes = Utf8Length(codePoint);
        var end = start + length;
        if (codePoint == '\r' && end < text.Length && text[end] == '\n')
        {
            bytes++;
            return end + 1;
        }

        while ((s_graphemes[codePoint] & Prepends) != 0 && end < text.Length)
        {
            var next = CodePoints.At(text, end, out length);
            if ((s_graphemes[next] & NoExtension) != 0)
            {
                return end;
            }

            codePoint = next;
            bytes += Utf8Length(codePoint);
            end += length;
        }

        if ((s_graphemes[codePoint] & NoExtension) != 0)
        {
            return end;
        }

        var pictograph = (s_graphemes[codePoint] & (Pictograph | Extends)) == Pictograph;
        while (end < text.Length)
        {
            var next = CodePoints.At(text, end, out length);
            var joins = pictograph && codePoint == 0x200D && (s_graphemes[next] & (Pictograph | Extends)) == Pictograph;
            if (!joins && (s_graphemes[next] & Extends) == 0)
            {
                break;
            }

            codePoint = next;
            bytes += Utf8Length(codePoint);
            end += length;
        }

        return end;
    }

    private static int Utf8Length(int codePoint) => codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;

    private static TokenizerFormatException Invalid(string what) => TokenizerErrors.Format("InvalidCharsmap", $"tokenizer.json: normalizer.precompiled_charsmap {what}.");
}
