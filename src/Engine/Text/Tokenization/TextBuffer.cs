using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>UTF-16 text that grows by code points, with one byte of provenance a char where <see cref="TracksTaint"/> is set (1 = written by a user, a tool, a document).
/// Never holds a lone surrogate.</summary>
internal sealed class TextBuffer
{
    /// <summary>No text may grow beyond this many chars while it is normalized.</summary>
    public const int MaxLength = 64 << 20;

    private char[] _chars = new char[256];
    private byte[] _taint = [];

    public int Length { get; private set; }
    public bool TracksTaint { get; private set; }

    public ReadOnlySpan<char> Span => _chars.AsSpan(0, Length);
    public ReadOnlySpan<byte> Taint => TracksTaint ? _taint.AsSpan(0, Length) : default;

    public void Reset(bool tracksTaint)
    {
        Length = 0;
        TracksTaint = tracksTaint;
        if (tracksTaint && _taint.Length < _chars.Length)
        {
            _taint = new byte[_chars.Length];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(char c, byte taint = 0)
    {
        if (Length == _chars.Length)
        {
            Grow(Length + 1);
        }

        if (TracksTaint)
        {
            _taint[Length] = taint;
        }

        _chars[Length++] = c;
    }

    public void AppendCodePoint(int codePoint, byte taint = 0)
    {
        if (codePoint < 0x10000)
        {
            Append((char)codePoint, taint);
            return;
        }

        Append((char)(((codePoint - 0x10000) >> 10) + 0xD800), taint);
        Append((char)(((codePoint - 0x10000) & 0x3FF) + 0xDC00), taint);
    }

    public void Append(ReadOnlySpan<char> text, byte taint = 0)
    {
        var start = Length;
        Reserve(text.Length);
        text.CopyTo(_chars.AsSpan(start));
        if (TracksTaint)
        {
            _taint.AsSpan(start, text.Length).Fill(taint);
        }
    }

    public void Append(ReadOnlySpan<char> text, ReadOnlySpan<byte> taint)
    {
        var start = Length;
        Reserve(text.Length);
        text.CopyTo(_chars.AsSpan(start));
        if (TracksTaint && !taint.IsEmpty)
        {
            taint.CopyTo(_taint.AsSpan(start, text.Length));
        }
        else if (TracksTaint)
        {
            _taint.AsSpan(start, text.Length).Clear();
        }
    }

    public static InvalidRequestException TooLong() => new($"Text grows beyond {MaxLength} characters while it is normalized for the tokenizer.", paramName: null);

    private void Reserve(int extra)
    {
        var needed = checked(Length + extra);
        if (needed > _chars.Length)
        {
            Grow(needed);
        }

        Length = needed;
    }

    private void Grow(int needed)
    {
        if (needed > MaxLength)
        {
            throw TooLong();
        }

        var size = (int)Math.Min(MaxLength, Math.Max(needed, _chars.Length * 2L));
        Array.Resize(ref _chars, size);
        if (TracksTaint)
        {
            Array.Resize(ref _taint, size);
        }
    }
}
