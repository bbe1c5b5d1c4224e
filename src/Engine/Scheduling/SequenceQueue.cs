using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Scheduling;

/// <summary>A queue with two ends over a ring. Grows only in <see cref="Reserve"/>, so that a step never allocates.</summary>
internal sealed class SequenceQueue
{
    private Sequence?[] _ring = new Sequence?[16];
    private int _head;

    public int Count { get; private set; }

    /// <summary>The oldest.</summary>
    public Sequence First => this[0];

    private Sequence this[int index] => _ring[Slot(index)]!;

    /// <summary>Makes room for this many in all.</summary>
    public void Reserve(int capacity)
    {
        if (capacity <= _ring.Length)
        {
            return;
        }

        var ring = new Sequence?[Math.Max(capacity, 2 * _ring.Length)];
        for (var i = 0; i < Count; i++)
        {
            ring[i] = this[i];
        }

        (_ring, _head) = (ring, 0);
    }

    public void AddLast(Sequence sequence) => _ring[Slot(Count++)] = sequence;

    public void AddFirst(Sequence sequence)
    {
        _head = Slot(_ring.Length - 1);
        _ring[_head] = sequence;
        Count++;
    }

    public void RemoveFirst()
    {
        _ring[_head] = null;
        _head = Slot(1);
        Count--;
    }

    /// <summary>Removes a sequence from anywhere; false if it is not here.</summary>
    public bool Remove(Sequence sequence)
    {
        var index = 0;
        while (index < Count && !ReferenceEquals(this[index], sequence))
        {
            index++;
        }

        if (index == Count)
        {
            return false;
        }

        for (; index < Count - 1; index++)
        {
            _ring[Slot(index)] = this[index + 1];
        }

        _ring[Slot(--Count)] = null;
        return true;
    }

    private int Slot(int index) => (int)(((uint)_head + (uint)index) % (uint)_ring.Length);
}
