namespace KvPrefetch.Engine.Requests;

/// <summary>One request as the pump sees it: its tokens, the pages that hold their keys and values, and how it ended. Owned by the pump thread; the scheduler
/// alone changes it.</summary>
internal sealed class Sequence
{
    private const int FirstOutputTokens = 256;

    private readonly int[] _stopTokens;
    private readonly KeyValuePair<int, float>[] _logitBias;
    private int[] _tokens;
    private PageTable[] _tables = [new()];

    /// <param name="id">Unique among the sequences of one scheduler that are alive.</param>
    /// <param name="prompt">At least one token id; copied.</param>
    /// <param name="maxTokens">Length that prompt and output may reach together; above the prompt's.</param>
    /// <param name="sampling">Validated options; the logit bias is copied.</param>
    /// <param name="stopTokens">Tokens that end the output; copied.</param>
    public Sequence(long id, ReadOnlySpan<int> prompt, int maxTokens, SamplingOptions sampling, ReadOnlySpan<int> stopTokens)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentOutOfRangeException.ThrowIfZero(prompt.Length, nameof(prompt));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxTokens, prompt.Length);
        Id = id;
        MaxTokens = maxTokens;
        PromptCount = Count = prompt.Length;
        Sampling = sampling;
        _tokens = new int[(int)Math.Min(maxTokens, (long)prompt.Length + FirstOutputTokens)];
        prompt.CopyTo(_tokens);
        _stopTokens = stopTokens.ToArray();
        _logitBias = sampling.LogitBias is null ? [] : [.. sampling.LogitBias];
    }

    public long Id { get; }

    /// <summary>Length at which the sequence ends, prompt and output together.</summary>
    public int MaxTokens { get; }

    public SamplingOptions Sampling { get; }

    /// <summary>Prompt and generated tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>Tokens known: prompt and generated.</summary>
    public int Count { get; private set; }

    public int PromptCount { get; }

    public int GeneratedCount => Count - PromptCount;

    /// <summary>Tokens from the start whose keys and values lie in <see cref="Pages"/>.</summary>
    public int Computed { get; private set; }

    /// <summary>Pages of the first group of layers, which sees farthest.</summary>
    public ReadOnlySpan<int> Pages => _tables[0].Pages;

    /// <summary>The block table of a group of layers.</summary>
    public PageTable Table(int group) => _tables[group];

    /// <summary>The slot that holds the states of recurrent layers; -1 while the sequence does not run.</summary>
    public int Slot { get; internal set; } = -1;

    /// <summary>Sequences of one salt may share pages; those of different ones never do.</summary>
    public ulong CacheSalt { get; init; }

    /// <summary>Tokens of the prompt that were found computed when the sequence was admitted for the first time; -1 before.</summary>
    public int CachedTokens { get; internal set; } = -1;

    /// <summary>What the output must look like; null for anything.</summary>
    public TokenConstraint? Constraint { get; init; }

    /// <summary>Tokens that end the output.</summary>
    public ReadOnlySpan<int> StopTokens => _stopTokens;

    /// <summary>Null while waiting or running.</summary>
    public FinishReason? Finish { get; private set; }

    public bool IsFinished => Finish is not null;

    /// <summary>What the request adds to logits, copied when it came in: enumerating a caller's dictionary would allocate and could change under us.</summary>
    internal ReadOnlySpan<KeyValuePair<int, float>> LogitBias => _logitBias;

    /// <summary>True from the moment a scheduler took the sequence.</summary>
    internal bool IsScheduled { get; set; }

    /// <summary>Appends a generated token and ends the sequence if it is a stop token or the last that was asked for.</summary>
    internal void Append(int token)
    {
        if (Count == _tokens.Length)
        {
            Array.Resize(ref _tokens, (int)Math.Min(MaxTokens, 2L * _tokens.Length));
        }

        _tokens[Count++] = token;
        if (_stopTokens.AsSpan().Contains(token))
        {
            Finish = FinishReason.Stop;
        }
        else if (Count == MaxTokens)
        {
            Finish = FinishReason.Length;
        }
    }

    /// <summary>Makes a block table for each group of layers; for a sequence that has no pages yet.</summary>
    internal void MakeTables(int groups)
    {
        if (_tables.Length != groups)
        {
            _tables = [.. Enumerable.Range(0, groups).Select(_ => new PageTable())];
        }
    }

    /// <summary>Forgets the pages, and with them everything computed.</summary>
    internal void DropPages()
    {
        Computed = 0;
        foreach (var table in _tables)
        {
            table.Clear();
        }
    }

    internal void Advance(int tokens) => Computed += tokens;

    internal void End(FinishReason reason) => Finish = reason;
}
