using System.Buffers.Binary;
using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads the fields of one protobuf message. Unknown fields are passed over; every length is checked.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;
    private readonly int _size = bytes.Length;
    private ulong _number;
    private ReadOnlySpan<byte> _bytes;

    /// <summary>Number of the field just read.</summary>
    public int Field { get; private set; }

    public readonly ReadOnlySpan<byte> Bytes => _bytes;

    public readonly int Int => (int)_number;

    public readonly bool Bool => _number != 0;

    public readonly float Float => BitConverter.Int32BitsToSingle((int)_number);

    public readonly string Text => Encoding.UTF8.GetString(_bytes);

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Number();
        Field = tag >> 3 <= int.MaxValue ? (int)(tag >> 3) : throw Invalid();
        _bytes = default;
        switch (tag & 7)
        {
            case 0:
                _number = Number();
                break;
            case 1:
                _number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                var length = Number();
                _bytes = Take(length <= int.MaxValue ? (int)length : throw Invalid());
                break;
            case 5:
                _number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw Invalid();
        }

        return true;
    }

    private ulong Number()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = Take(1)[0];
            value |= (ulong)(b & 127) << shift;
            if (b < 128)
            {
                return value;
            }
        }

        throw Invalid();
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw Invalid();
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    private readonly TokenizerFormatException Invalid()
        => TokenizerErrors.Format("InvalidProtobuf", $"tokenizer.model is not a SentencePiece model: a message of {_size} bytes breaks off or is malformed at byte {_size - _rest.Length} of it.");
}
