namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>A small set of numbers from zero. Immutable; equal sets are equal.</summary>
internal readonly struct Bits : IEquatable<Bits>
{
    private readonly ulong _low;
    private readonly ulong[]? _high;

    private Bits(ulong low, ulong[]? high)
    {
        _low = low;
        while (high is { Length: > 0 } && high[^1] == 0)
        {
            high = high[..^1];
        }

        _high = high is { Length: > 0 } ? high : null;
    }

    public static Bits None => default;

    public bool IsEmpty => _low == 0 && _high is null;

    public int Count => System.Numerics.BitOperations.PopCount(_low) + (_high?.Sum(System.Numerics.BitOperations.PopCount) ?? 0);

    public bool this[int index] => index < 64 ? ((_low >> index) & 1) != 0 : _high is not null && (index >> 6) <= _high.Length && ((_high[(index >> 6) - 1] >> (index & 63)) & 1) != 0;

    public static Bits Of(int index) => default(Bits).With(index);

    public Bits With(int index)
    {
        if (index < 64)
        {
            return new Bits(_low | (1UL << index), _high);
        }

        if (this[index])
        {
            return this;
        }

        var high = new ulong[Math.Max(_high?.Length ?? 0, index >> 6)];
        _high?.CopyTo(high, 0);
        high[(index >> 6) - 1] |= 1UL << (index & 63);
        return new Bits(_low, high);
    }

    public Bits Or(Bits other)
    {
        if (other._high is null)
        {
            return other._low == 0 ? this : new Bits(_low | other._low, _high);
        }

        var high = new ulong[Math.Max(_high?.Length ?? 0, other._high.Length)];
        _high?.CopyTo(high, 0);
        for (var i = 0; i < other._high.Length; i++)
        {
            high[i] |= other._high[i];
        }

        return new Bits(_low | other._low, high);
    }

    public bool Equals(Bits other) => _low == other._low && _high.AsSpan().SequenceEqual(other._high);

    public override bool Equals(object? obj) => obj is Bits other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(_low);
        foreach (var word in _high ?? [])
        {
            hash.Add(word);
        }

        return hash.ToHashCode();
    }
}
