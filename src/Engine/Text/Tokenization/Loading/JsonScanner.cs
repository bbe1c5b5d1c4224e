using System.Buffers.Text;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A long list or object in a tokenizer.json that has been stepped over but not read.</summary>
/// <param name="Start">Offset of its first byte; that of any other value where the field is no list.</param>
/// <param name="End">Offset behind it.</param>
/// <param name="Count">Number of elements.</param>
/// <param name="Middle">Offset at which element <paramref name="MiddleIndex"/> begins, so that two threads can read the list.</param>
/// <param name="MiddleIndex">0 where the list is too short for two.</param>
internal readonly record struct JsonList(int Start, int End, int Count, int Middle, int MiddleIndex);

/// <summary>Walks over JSON where almost every value is a short string: a tokenizer.json is two lists of some hundred thousand of them. The general reader of the framework is
/// several times slower on these in a fresh process, before its code has been optimized; it still reads everything else. The bytes are valid UTF-8 already.</summary>
internal ref struct JsonScanner
{
    // Shorter lists are not worth a second thread.
    private const int ElementsPerMark = 8192;

    private readonly ReadOnlySpan<byte> _bytes;
    private byte[] _unescaped = [];

    public JsonScanner(ReadOnlySpan<byte> bytes, int at)
    {
        _bytes = bytes;
        At = at;
    }

    /// <summary>Offset of the next byte.</summary>
    public int At { get; set; }

    /// <summary>The next byte that is not white space, not taken; 0 at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Peek()
    {
        var at = At;
        var bytes = _bytes;
        while ((uint)at < (uint)bytes.Length)
        {
            var b = bytes[at];
            if (b > ' ' || b is not ((byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t'))
            {
                At = at;
                return b;
            }

            at++;
        }

        At = at;
        return 0;
    }

    /// <summary>Takes the byte where it is the next one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(byte expected)
    {
        if (Peek() != expected)
        {
            return false;
        }

        At++;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(byte expected)
    {
        if (!TryTake(expected))
        {
            throw Invalid();
        }
    }

    /// <summary>Begins a list or object: true where it has a first element.</summary>
    public bool TakeOpening(byte opening, byte closing)
    {
        Take(opening);
        return !TryTake(closing);
    }

    /// <summary>After an element: true where another one follows, else the list has been left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TakeSeparator(byte closing)
    {
        if (TryTake((byte)','))
        {
            return true;
        }

        Take(closing);
        return false;
    }

    /// <summary>The name of a member and its colon.</summary>
    public ReadOnlySpan<byte> TakeName()
    {
        var name = TakeString();
        Take((byte)':');
        return name;
    }

    /// <summary>A string's bytes without quotes and escapes; they stand until the next string is taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public ReadOnlySpan<byte> TakeString()
    {
        Take((byte)'"');
        var start = At;
        At = FindStringEnd(_bytes, start);
        if ((uint)At >= (uint)_bytes.Length || _bytes[At] != '"')
        {
            return TakeEscapedString(start);
        }

        return _bytes[start..At++];
    }

    /// <summary>A whole number; false, and nothing taken, where the next value is something else.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeWholeNumber(out long number)
    {
        number = 0;
        var first = Peek();
        var at = At;
        var bytes = _bytes;
        while ((uint)at < (uint)bytes.Length && (uint)(bytes[at] - '0') <= 9 && at - At < 18)
        {
            number = (number * 10) + (bytes[at++] - '0');
        }

        if (at == At || (at - At > 1 && first == '0') || !EndsValue(at))
        {
            return false;
        }

        At = at;
        return true;
    }

    /// <summary>A finite number; false, and nothing taken, where the next value is something else.</summary>
    public bool TryTakeNumber(out double number)
    {
        number = 0;
        var first = Peek();
        if ((first != '-' && (uint)(first - '0') > 9) || !Utf8Parser.TryParse(_bytes[At..], out number, out var used) || !EndsValue(At + used) || !double.IsFinite(number))
        {
            return false;
        }

        At += used;
        return true;
    }

    /// <summary>Any value, checked by the framework's reader.</summary>
    public JsonElement TakeDocument()
    {
        var reader = Reader(At);
        try
        {
            using var document = JsonDocument.ParseValue(ref reader);
            At += (int)reader.BytesConsumed;
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw Invalid(e);
        }
    }

    /// <summary>Steps over a value. A list or an object is only measured: whoever reads it checks its syntax.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public JsonList TakeList()
    {
        var first = Peek();
        var start = At;
        if (first is not ((byte)'[' or (byte)'{'))
        {
            TakeDocument();
            return new JsonList(start, At, 0, 0, 0);
        }

        var bytes = _bytes;
        var marks = new List<int>();
        var (depth, commas, at) = (0, 0, start);
        do
        {
            at = FindStructure(bytes, at);
            if ((uint)at >= (uint)bytes.Length)
            {
                At = at;
                throw Invalid();
            }

            var b = bytes[at++];
            if (b == '"')
            {
                at = SkipString(bytes, at);
            }
            else if (b == ',')
            {
                if (depth == 1 && ++commas % ElementsPerMark == 0)
                {
                    marks.Add(at);
                }
            }
            else if (b is (byte)']' or (byte)'}')
            {
                depth--;
            }
            else if (++depth > TokenizerFile.MaxDepth)
            {
                At = at;
                throw Invalid();
            }
        }
        while (depth > 0);

        At = at;
        var middle = Middle(marks, start + ((at - start) / 2));
        return new JsonList(start, at, commas + 1, middle < 0 ? 0 : marks[middle], (middle + 1) * ElementsPerMark);
    }

    /// <summary>The error of bytes that are not JSON, at <see cref="At"/> or as far behind it as the framework's reader says.</summary>
    public readonly TokenizerFormatException Invalid(JsonException? inner = null)
    {
        var before = _bytes[..Math.Min(At, _bytes.Length)];
        var lines = inner?.LineNumber ?? 0;
        var position = (inner?.BytePositionInLine ?? 0) + (lines > 0 ? 0 : before.Length - before.LastIndexOf((byte)'\n') - 1);
        return TokenizerErrors.Format("InvalidJson", $"tokenizer.json is not valid JSON at line {before.Count((byte)'\n') + lines + 1}, byte {position}, or nests deeper than {TokenizerFile.MaxDepth}.", inner);
    }

    private static int Middle(List<int> marks, int offset)
    {
        var index = marks.BinarySearch(offset);
        return Math.Min(index < 0 ? ~index : index, marks.Count - 1);
    }

    // First quote, backslash or control character from here, or the end.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FindStringEnd(ReadOnlySpan<byte> bytes, int at)
    {
        ref var first = ref MemoryMarshal.GetReference(bytes);
        for (; Vector128.IsHardwareAccelerated && at <= bytes.Length - Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var block = Vector128.LoadUnsafe(ref first, (nuint)at);
            var stops = Vector128.Equals(block, Vector128.Create((byte)'"')) | Vector128.Equals(block, Vector128.Create((byte)'\\')) | Vector128.LessThan(block, Vector128.Create((byte)' '));
            var mask = stops.ExtractMostSignificantBits();
            if (mask != 0)
            {
                return at + BitOperations.TrailingZeroCount(mask);
            }
        }

        while ((uint)at < (uint)bytes.Length && bytes[at] >= ' ' && bytes[at] is not ((byte)'"' or (byte)'\\'))
        {
            at++;
        }

        return at;
    }

    // First quote, comma, bracket or brace from here, or the end.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FindStructure(ReadOnlySpan<byte> bytes, int at)
    {
        ref var first = ref MemoryMarshal.GetReference(bytes);
        for (; Vector128.IsHardwareAccelerated && at <= bytes.Length - Vector128<byte>.Count; at += Vector128<byte>.Count)
        {
            var block = Vector128.LoadUnsafe(ref first, (nuint)at);
            // The bit that distinguishes brackets from braces is set.
            var brace = block | Vector128.Create((byte)0x20);
            var stops = Vector128.Equals(block, Vector128.Create((byte)'"')) | Vector128.Equals(block, Vector128.Create((byte)','))
                | Vector128.Equals(brace, Vector128.Create((byte)'{')) | Vector128.Equals(brace, Vector128.Create((byte)'}'));
            var mask = stops.ExtractMostSignificantBits();
            if (mask != 0)
            {
                return at + BitOperations.TrailingZeroCount(mask);
            }
        }

        while ((uint)at < (uint)bytes.Length && bytes[at] is not ((byte)'"' or (byte)',' or (byte)'[' or (byte)']' or (byte)'{' or (byte)'}'))
        {
            at++;
        }

        return at;
    }

    // Behind the closing quote, or beyond the end where there is none.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SkipString(ReadOnlySpan<byte> bytes, int at)
    {
        while (true)
        {
            at = FindStringEnd(bytes, at);
            if ((uint)at >= (uint)bytes.Length || bytes[at] == '"')
            {
                return at + 1;
            }

            at += bytes[at] == '\\' ? 2 : 1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool EndsValue(int at)
        => (uint)at >= (uint)_bytes.Length || _bytes[at] is (byte)',' or (byte)']' or (byte)'}' or (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';

    // The string from start, read up to its first escape.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<byte> TakeEscapedString(int start)
    {
        var bytes = _bytes;
        var length = 0;
        while (true)
        {
            var plain = bytes[start..Math.Min(At, bytes.Length)];
            if (_unescaped.Length < length + plain.Length + 4)
            {
                Array.Resize(ref _unescaped, Math.Max(256, (length + plain.Length + 4) * 2));
            }

            plain.CopyTo(_unescaped.AsSpan(length));
            length += plain.Length;
            if ((uint)At >= (uint)bytes.Length || bytes[At] < ' ')
            {
                throw Invalid();
            }

            if (bytes[At++] == '"')
            {
                return _unescaped.AsSpan(0, length);
            }

            length += TakeEscape(_unescaped.AsSpan(length));
            start = At;
            At = FindStringEnd(bytes, start);
        }
    }

    // What stands behind a backslash, as UTF-8.
    private int TakeEscape(Span<byte> utf8)
    {
        var escape = (uint)At < (uint)_bytes.Length ? _bytes[At] : (byte)0;
        At++;
        utf8[0] = escape switch
        {
            (byte)'"' or (byte)'\\' or (byte)'/' => escape,
            (byte)'b' => (byte)'\b',
            (byte)'f' => (byte)'\f',
            (byte)'n' => (byte)'\n',
            (byte)'r' => (byte)'\r',
            (byte)'t' => (byte)'\t',
            (byte)'u' => 0,
            _ => throw Invalid(),
        };
        if (escape != 'u')
        {
            return 1;
        }

        var first = TakeHexadecimal();
        if (!char.IsSurrogate(first))
        {
            return new Rune(first).EncodeToUtf8(utf8);
        }

        if (char.IsHighSurrogate(first) && _bytes[Math.Min(At, _bytes.Length)..].StartsWith("\\u"u8))
        {
            At += 2;
            if (Rune.TryCreate(first, TakeHexadecimal(), out var rune))
            {
                return rune.EncodeToUtf8(utf8);
            }
        }

        throw TokenizerErrors.LoneSurrogate();
    }

    private char TakeHexadecimal()
    {
        var value = 0;
        for (var i = 0; i < 4; i++, At++)
        {
            var digit = (uint)At < (uint)_bytes.Length ? HexDigit(_bytes[At]) : -1;
            value = digit >= 0 ? (value << 4) | digit : throw Invalid();
        }

        return (char)value;
    }

    private static int HexDigit(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => digit - 'A' + 10,
        _ => -1,
    };

    private readonly Utf8JsonReader Reader(int start) => new(_bytes[start..], new JsonReaderOptions { MaxDepth = TokenizerFile.MaxDepth });
}
