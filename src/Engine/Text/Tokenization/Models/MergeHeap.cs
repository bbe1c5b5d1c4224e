namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A four-way min-heap of (rank, position), each packed into one number.</summary>
internal ref struct MergeHeap(ulong[] storage)
{
    private readonly ulong[] _items = storage;
    private int _count;

    /// <summary>Adds without order; <see cref="Heapify"/> comes after.</summary>
    public void Append(int rank, int position) => _items[_count++] = ((ulong)(uint)rank << 32) | (uint)position;

    public void Heapify()
    {
        for (var i = (_count - 2) >> 2; i >= 0; i--)
        {
            Sink(i);
        }
    }

    public void Push(int rank, int position)
    {
        var value = ((ulong)(uint)rank << 32) | (uint)position;
        var items = _items;
        var at = _count++;
        while (at > 0)
        {
            var parent = (at - 1) >> 2;
            if (items[parent] <= value)
            {
                break;
            }

            items[at] = items[parent];
            at = parent;
        }

        items[at] = value;
    }

    public bool TryPop(out int rank, out int position)
    {
        if (_count == 0)
        {
            rank = 0;
            position = 0;
            return false;
        }

        var top = _items[0];
        rank = (int)(top >> 32);
        position = (int)(uint)top;
        if (--_count > 0)
        {
            _items[0] = _items[_count];
            Sink(0);
        }

        return true;
    }

    private void Sink(int at)
    {
        var items = _items;
        var count = _count;
        var value = items[at];
        while (true)
        {
            var child = (at << 2) + 1;
            if (child >= count)
            {
                break;
            }

            var end = Math.Min(child + 4, count);
            var smallest = child;
            for (var i = child + 1; i < end; i++)
            {
                if (items[i] < items[smallest])
                {
                    smallest = i;
                }
            }

            if (items[smallest] >= value)
            {
                break;
            }

            items[at] = items[smallest];
            at = smallest;
        }

        items[at] = value;
    }
}
