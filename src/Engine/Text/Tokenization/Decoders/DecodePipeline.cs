using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Decoding of a tokenizer: the bytes of every token after the stateless first steps, computed once, and the steps that remain.</summary>
internal sealed class DecodePipeline
{
    private readonly byte[] _arena;
    private readonly int[] _start;
    private readonly bool[] _known;
    private readonly AddedVocabulary _added;
    private readonly TokenDecoder[] _steps;
    private readonly bool _fused;

    /// <param name="vocabulary">The model's tokens.</param>
    /// <param name="added">Added tokens; their text counts where the vocabulary has another.</param>
    /// <param name="steps">The decoder, flattened.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public DecodePipeline(Vocabulary vocabulary, AddedVocabulary added, IReadOnlyList<TokenDecoder> steps)
    {
        var folded = 0;
        while (folded < steps.Count && steps[folded].IsMap && !_fused)
        {
            _fused = steps[folded++].Fuses;
        }

        _steps = steps.Skip(folded).ToArray();
        _added = added;
        _known = new bool[added.IdLimit];
        _start = new int[added.IdLimit + 1];
        var arena = new CollectStage();
        DecodeStage first = arena;
        for (var i = folded - 1; i >= 0; i--)
        {
            first = new MapStage(steps[i], first);
        }

        for (var id = 0; id < _known.Length; id++)
        {
            _start[id] = arena.Bytes.Length;
            var text = added.Text(id);
            _known[id] = text is not null || vocabulary.Contains(id);
            if (_known[id])
            {
                first.Push(text ?? vocabulary.Text(id));
            }
        }

        _start[^1] = arena.Bytes.Length;
        _arena = arena.Bytes.ToArray();
        // Bytes of a byte-level text are checked as UTF-8 at the end; a step in between needs text.
        if (_fused && _steps.Length > 0 && steps[folded - 1] is ByteLevelDecoder)
        {
            _steps = [new LossyDecoder(), .. _steps];
        }
    }

    public int Count => _known.Length;

    /// <summary>True where a later step turns tokens such as <c>&lt;0x0A&gt;</c> into bytes.</summary>
    public bool LeavesBytes => _steps.Any(static step => step is ByteFallbackDecoder);

    /// <summary>True where a later step turns metaspaces into spaces.</summary>
    public bool LeavesSpaces => _steps.Any(static step => step is MetaspaceDecoder);

    public DecodeStage Start(DecodeStage sink)
    {
        var fused = _fused;
        var before = new bool[_steps.Length];
        for (var i = 0; i < _steps.Length; i++)
        {
            before[i] = fused;
            fused |= _steps[i].Fuses;
        }

        for (var i = _steps.Length - 1; i >= 0; i--)
        {
            sink = _steps[i].Start(sink, before[i]);
        }

        return sink;
    }

    /// <summary>Hands a token on; unknown ids below <see cref="Count"/> give nothing, as in the reference.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative or not below <see cref="Count"/>.</exception>
    public void Push(int id, bool skipSpecialTokens, DecodeStage stage)
    {
        if ((uint)id >= (uint)_known.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(id), id, $"Token ids of this tokenizer are 0 to {_known.Length - 1}.");
        }

        if (_known[id] && !(skipSpecialTokens && _added.IsSkipped(id)))
        {
            stage.Push(_arena.AsSpan(_start[id].._start[id + 1]));
        }
    }

    private sealed class LossyDecoder : TokenDecoder
    {
        public override bool Fuses => true;

        public override DecodeStage Start(DecodeStage next, bool fused) => new GatherStage(next);
    }
}
