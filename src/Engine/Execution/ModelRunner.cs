using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Execution;

/// <summary>Turns a batch into one step of the model. Everything it writes to is allocated once, for the largest step.</summary>
internal sealed class ModelRunner : IDisposable
{
    private readonly IBackend _backend;
    private readonly IModel _model;
    private readonly KvPages _pages;
    private readonly StateSlots _states;
    private readonly int[] _staging;
    private readonly DeviceBuffer _device;
    private readonly Section _tokenIds;
    private readonly Section _positions;
    private readonly Section _rotaryLengths;
    private readonly Section _rowStarts;
    private readonly Section _tableStarts;
    private readonly int _groups;
    private readonly int _maxSequences;
    private readonly Section _slots;
    private readonly Section _sampleRows;
    private readonly Section _tables;
    private readonly Action _forward;
    private StepInputs _step;
    private Rows _logits;

    /// <param name="backend">Where the model lives.</param>
    /// <param name="model">The model; disposed with the runner, as pages and states are.</param>
    /// <param name="pages">The key-value cache.</param>
    /// <param name="states">The states of recurrent layers.</param>
    /// <param name="maxTokens">Rows of the largest step.</param>
    /// <param name="maxSequences">Sequences of the largest step.</param>
    public ModelRunner(IBackend backend, IModel model, KvPages pages, StateSlots states, int maxTokens, int maxSequences)
    {
        (_backend, _model, _pages, _states) = (backend, model, pages, states);
        var length = 0;
        Section Reserve(int count) => new((length += count) - count, count);

        // Block tables last: of them only what is in use is uploaded, so a step costs one small copy.
        _tokenIds = Reserve(maxTokens);
        _positions = Reserve(maxTokens);
        _rotaryLengths = Reserve(maxTokens);
        _rowStarts = Reserve(maxSequences + 1);
        _groups = pages.Layout.Windows.Length;
        _maxSequences = maxSequences;
        _tableStarts = Reserve(_groups * maxSequences);
        _slots = Reserve(maxSequences);
        _sampleRows = Reserve(maxSequences);
        _tables = Reserve(pages.TotalPages);
        _staging = new int[length];
        _device = backend.AllocateInts(length);
        _forward = () => _logits = _model.Forward(_step);
    }

    /// <summary>Runs the tokens of a batch. The result is valid until the next call.</summary>
    /// <returns>Logits <c>[batch.SampleCount, vocabulary]</c>, in the order of the sampling items.</returns>
    public Rows Run(Batch batch)
    {
        int row = 0, sample = 0, table = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            var sequence = item.Sequence;
            _staging[_rowStarts.At(i)] = row;
            _staging[_slots.At(i)] = sequence.Slot;
            sequence.Tokens.Slice(item.Start, item.Count).CopyTo(_staging.AsSpan(_tokenIds.At(row), item.Count));
            for (var t = item.Start; t < item.Start + item.Count; t++, row++)
            {
                _staging[_positions.At(row)] = t;
                _staging[_rotaryLengths.At(row)] = Math.Max(t + 1, sequence.PromptCount);
            }

            for (var g = 0; g < _groups; g++)
            {
                // Where the table of a sequence that has given pages back would have begun: none of those is read.
                var pages = sequence.Table(g);
                _staging[_tableStarts.At((g * _maxSequences) + i)] = table - pages.First;
                pages.Pages.CopyTo(_staging.AsSpan(_tables.Start + table, pages.Pages.Length));
                table += pages.Pages.Length;
            }

            if (item.Samples)
            {
                _staging[_sampleRows.At(sample++)] = row - 1;
            }
        }

        _staging[_rowStarts.At(batch.Count)] = row;
        _backend.Upload(_staging.AsSpan(0, _tables.Start + table), _device);
        _step = new StepInputs
        {
            TokenCount = row,
            SequenceCount = batch.Count,
            SampleCount = sample,
            TokenIds = _tokenIds.On(_device),
            Positions = _positions.On(_device),
            RotaryLengths = _rotaryLengths.On(_device),
            RowStarts = _rowStarts.On(_device),
            BlockTableStarts = _tableStarts.On(_device),
            TableStride = _maxSequences,
            BlockTables = _tables.On(_device),
            SampleRows = _sampleRows.On(_device),
            Slots = _slots.On(_device),
            Pages = _pages,
            States = _states,
        };

        // Steps in which every sequence has one token and samples differ in their integers alone.
        _backend.Run(row == batch.Count && sample == row ? row : 0, _forward);
        if (!_backend.Summarises(_logits.Columns))
        {
            _backend.Fetch(_logits, sample);
        }

        return _logits;
    }

    /// <summary>Logits of one row, on the host; may be written to until the next step.</summary>
    public Span<float> Logits(Rows logits, int row) => _backend.Download(logits, row);

    public void Dispose()
    {
        _device.Dispose();
        _pages.Dispose();
        _states.Dispose();
        _model.Dispose();
    }

    /// <summary>A part of the one integer buffer.</summary>
    private readonly record struct Section(int Start, int Count)
    {
        public int At(int index) => (uint)index < (uint)Count ? Start + index : throw new ArgumentOutOfRangeException(nameof(index));

        public Ints On(DeviceBuffer buffer) => new(buffer, Start);
    }
}
