using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Which two characters stand side by side inside some token: where none does, no merge can cross, and a text without spaces falls into words all the same.
/// A Bloom filter of one bit a pair: it may say yes wrongly (then a word is longer), never no.</summary>
internal sealed class PairFilter
{
    private readonly ulong[] _bits;
    private readonly int _shift;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public PairFilter(Vocabulary vocabulary)
    {
        const int Log2Bits = 22;
        _bits = new ulong[1 << (Log2Bits - 6)];
        _shift = 64 - Log2Bits;
        for (var id = 0; id < vocabulary.IdLimit; id++)
        {
            var text = vocabulary.Text(id);
            var previous = -1;
            while (System.Text.Rune.DecodeFromUtf8(text, out var rune, out var used) == System.Buffers.OperationStatus.Done)
            {
                if (previous >= 0)
                {
                    var bit = Bit(previous, rune.Value);
                    _bits[bit >> 6] |= 1UL << (int)(bit & 63);
                }

                previous = rune.Value;
                text = text[used..];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayMerge(int left, int right)
    {
        var bit = Bit(left, right);
        return ((_bits[bit >> 6] >> (int)(bit & 63)) & 1) != 0;
    }

    private ulong Bit(int left, int right) => ((((ulong)(uint)left << 21) | (uint)right) * 0x9E3779B97F4A7C15) >> _shift;
}
