using System.Numerics;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Whole masks at once.</summary>
internal static class MaskWords
{
    public static void Or(Span<uint> mask, ReadOnlySpan<uint> other)
    {
        var i = 0;
        for (; i <= other.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            (new Vector<uint>(mask[i..]) | new Vector<uint>(other[i..])).CopyTo(mask[i..]);
        }

        for (; i < other.Length; i++)
        {
            mask[i] |= other[i];
        }
    }
}
