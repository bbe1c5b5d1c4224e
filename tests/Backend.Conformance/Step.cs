using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Tests.Conformance;

/// <summary>A step made by hand: some sequences, each with tokens from <c>Start</c> on, their pages scattered over the pool.</summary>
internal sealed class Step : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];

    public Step(IBackend backend, KvPages pages, Random random, int vocabulary, params (int Start, int Count)[] sequences) : this(backend, pages, states: null, random, vocabulary, sequences)
    {
    }

    public Step(IBackend backend, KvPages pages, StateSlots? states, Random random, int vocabulary, params (int Start, int Count)[] sequences)
    {
        List<int> ids = [], positions = [], rowStarts = [0], tableStarts = [], tables = [], samples = [];
        var free = Enumerable.Range(0, pages.Pages(0)).ToArray();
        random.Shuffle(free);
        var next = 0;
        foreach (var (start, count) in sequences)
        {
            ids.AddRange(Enumerable.Range(0, count).Select(_ => random.Next(vocabulary)));
            positions.AddRange(Enumerable.Range(start, count));
            rowStarts.Add(rowStarts[^1] + count);
            tableStarts.Add(tables.Count);
            var needed = (start + count + pages.PageSize - 1) / pages.PageSize;
            tables.AddRange(free[next..(next + needed)]);
            next += needed;
            samples.Add(rowStarts[^1] - 1);
        }

        Ints On(List<int> values)
        {
            var buffer = backend.AllocateInts(values.Count);
            backend.Upload(values.ToArray(), buffer);
            _buffers.Add(buffer);
            return new Ints(buffer, 0);
        }

        Inputs = new StepInputs
        {
            TokenCount = positions.Count,
            SequenceCount = sequences.Length,
            SampleCount = samples.Count,
            TokenIds = On(ids),
            Positions = On(positions),
            RotaryLengths = On([.. positions.Select(p => p + 1)]),
            RowStarts = On(rowStarts),
            BlockTableStarts = On(tableStarts),
            TableStride = 0,    // all groups of layers share their tables here
            BlockTables = On(tables),
            SampleRows = On(samples),
            Slots = On([.. Enumerable.Range(0, sequences.Length).Select(s => (s * 3) % 7)]),
            Pages = pages,
            States = states ?? StateSlots.OnHost([], 1),
        };
    }

    public StepInputs Inputs { get; }

    public void Dispose() => _buffers.ForEach(b => b.Dispose());
}
