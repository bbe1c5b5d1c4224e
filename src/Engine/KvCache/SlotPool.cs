namespace KvPrefetch.Engine.KvCache;

/// <summary>Which state slots are free, and who owns the others: numbers only, the memory lies with the backend. A sequence holds one slot from its admission until it ends or is preempted.
/// A slot that is given back by someone else than its owner means corrupt state: that is refused at once.</summary>
internal sealed class SlotPool
{
    private const long Nobody = long.MinValue;

    private readonly int[] _free;
    private readonly long[] _owner;

    /// <param name="slots">Slots, numbered from 0.</param>
    public SlotPool(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slots);
        FreeCount = slots;
        _owner = new long[slots];
        _owner.AsSpan().Fill(Nobody);

        // The top of the stack is the lowest slot.
        _free = [.. Enumerable.Range(0, slots).Reverse()];
    }

    public int TotalCount => _owner.Length;

    public int FreeCount { get; private set; }

    /// <summary>Takes a slot for this owner. Throws <see cref="InvalidOperationException"/> when none is free: there are as many as may run.</summary>
    public int Allocate(long owner)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(owner, Nobody);
        if (FreeCount == 0)
        {
            throw new InvalidOperationException($"None of the {TotalCount} state slots is free.");
        }

        var slot = _free[--FreeCount];
        _owner[slot] = owner;
        return slot;
    }

    /// <summary>Gives a slot back. Throws <see cref="InvalidOperationException"/> if it is not this owner's.</summary>
    public void Release(int slot, long owner)
    {
        if ((uint)slot >= (uint)_owner.Length || _owner[slot] != owner || owner == Nobody)
        {
            throw new InvalidOperationException($"State slot {slot} does not belong to sequence {owner}, which gave it back.");
        }

        _owner[slot] = Nobody;
        _free[FreeCount++] = slot;
    }
}
