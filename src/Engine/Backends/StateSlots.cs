namespace KvPrefetch.Engine.Backends;

/// <summary>The memory of recurrent layers: per state of the model, one run of float32 for each slot, <c>[slot][size]</c>. A running sequence holds one slot, the same in all states.</summary>
internal sealed class StateSlots(DeviceBuffer[] states, IReadOnlyList<int> sizes, int slots) : IDisposable
{
    /// <summary>Slots: sequences that may run at once.</summary>
    public int Slots => slots;

    /// <summary>States of a sequence; 0 for a model without recurrent layers.</summary>
    public int States => states.Length;

    public DeviceBuffer State(int state) => states[state];

    /// <summary>Elements of a slot in this state.</summary>
    public int Size(int state) => sizes[state];

    /// <summary>Bytes of a sequence over all states.</summary>
    public static long SlotBytes(IReadOnlyList<int> sizes) => sizes.Sum(size => (long)size * sizeof(float));

    /// <summary>In host memory.</summary>
    public static StateSlots OnHost(IReadOnlyList<int> sizes, int slots) =>
        new([.. sizes.Select(size => DeviceBuffer.OnHost(Numerics.DType.F32, checked((long)size * slots)))], sizes, slots);

    public void Dispose()
    {
        foreach (var buffer in states)
        {
            buffer.Dispose();
        }
    }
}
