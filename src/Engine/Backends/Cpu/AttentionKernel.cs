using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>What the items of an <see cref="AttentionKernel{TLanes,V}"/> are.</summary>
internal enum AttentionStage
{
    /// <summary>Rows of one sequence and one KV head over their whole context.</summary>
    Whole,

    /// <summary>The same over one piece of it: what few rows with long contexts are cut into, so that all threads have some.</summary>
    Pieces,

    /// <summary>Puts those together.</summary>
    Merge,
}

/// <summary>Causal attention over a paged cache (<see cref="KvSlabs"/> says how keys and values lie; other types than float32 are widened a block at a time).
/// <para>Arithmetic, the same for a decode, for a row of a prefill chunk and on any number of threads: the context is cut at multiples of <see cref="PieceTokens"/>. In a piece a row's scores
/// are sums over the head in order, then comes one softmax over the tokens of the piece that the row sees, then the weighted sum of values in the order of tokens. Pieces are put together one
/// after the other from the first on, relative to the larger maximum.</para>
/// <para>Work is dealt in blocks of rows of one sequence and one KV head: keys and values are read once for all query heads of the group and all rows of the block.</para></summary>
internal unsafe struct AttentionKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Rows times query heads per KV head that share a slab at most.</summary>
    private const int StatesPerBlock = 48;

    /// <summary>Tokens that lie together in every page.</summary>
    private const int Column = 16;

    public float* Q;
    public long QStride;
    public float* Output;
    public long OutputStride;
    public byte* Keys;
    public byte* Values;

    /// <summary>Of keys and values.</summary>
    public DType Type;
    public int* Positions;
    public int* RowStarts;
    public int* BlockTableStarts;
    public int* BlockTables;
    public int Sequences;
    public int KvHeads;

    /// <summary>Query heads per KV head.</summary>
    public int Group;

    /// <summary>Items that a group's query heads are divided among.</summary>
    public int Parts;
    public int HeadDim;
    public int ValueDim;

    /// <summary>Values are the last elements of the keys.</summary>
    public bool ValuesInKeys;
    public int PageSize;
    public float Scale;

    /// <summary>Tokens that a token sees, itself included; int.MaxValue for all.</summary>
    public int Window;

    /// <summary>0: none.</summary>
    public float SoftCap;
    public ScaleGrowth Growth;

    /// <summary>One more score for each query head, without a value; null: none.</summary>
    public float* Sinks;

    /// <summary>Blocks of rows over all sequences; each is computed for every KV head.</summary>
    public int Blocks;

    public AttentionStage Stage;

    /// <summary><see cref="ScratchFloats"/> for each thread.</summary>
    public float* Scratch;

    /// <summary><see cref="PartialFloats"/> for each piece of each block and part; used where contexts are cut.</summary>
    public float* Partials;

    public static int BlockRows(int group) => Math.Max(1, StatesPerBlock / group);

    /// <summary>Keys that hold values are long, and read twice: their pieces have to stay in the cache.</summary>
    public static int PieceTokens(bool valuesInKeys) => valuesInKeys ? 64 : 256;

    /// <summary>Tokens whose keys or values are gone through for all rows before the next ones'.</summary>
    private static int StripTokens(bool valuesInKeys) => valuesInKeys ? Column : 64;

    /// <summary>Per thread: the running result, a piece's, its scores, and a strip in float32.</summary>
    public static long ScratchFloats(AttentionShape shape)
    {
        var (group, latent) = (shape.Heads / shape.KvHeads, shape.ValuesInKeys > 0);
        var states = BlockRows(group) * group;
        return checked((2 * PartialFloats(states, shape.ValueDim)) + ((states + 3L) * PieceTokens(latent)) + ((StripTokens(latent) + 16L) * (Math.Max(shape.HeadDim, shape.ValueDim) + 4)));
    }

    /// <summary>Maxima, sums and accumulators of so many states.</summary>
    public static long PartialFloats(int states, int valueDim) => checked((((long)states * (valueDim + 2)) + 15) / 16 * 16);

    /// <summary>Pieces that rows of these positions see.</summary>
    public static int Pieces(int firstPosition, int rows, int window, bool valuesInKeys) =>
        ((firstPosition + rows - 1) / PieceTokens(valuesInKeys)) - (Math.Max(0, firstPosition - window + 1) / PieceTokens(valuesInKeys)) + 1;

    private readonly long PartialSize => PartialFloats(BlockRows(Group) * Group / Parts, ValueDim);

    public readonly void Run(int from, int end, int thread)
    {
        var scratch = Scratch + (thread * ScratchFloats(new AttentionShape(Group, 1, HeadDim, 0) { ValuesInKeys = ValuesInKeys ? ValueDim : 0 }));
        for (var item = from; item < end; item++)
        {
            Item(item, scratch);
        }
    }

    private readonly void Item(int item, float* scratch)
    {
        float* running = scratch, piece = running + PartialSize, rest = piece + PartialSize;
        if (Stage == AttentionStage.Pieces)
        {
            var cut = FindPiece(item, out var at);
            Piece(in cut, at, Partials + (item * PartialSize), rest);
            return;
        }

        // Last blocks first: they see the most context, and the short ones fill the gaps at the end.
        var parts = KvHeads * Parts;
        var unit = FindBlock(Blocks - 1 - (item / parts), item % parts, out var firstPartial);
        Start(in unit, running);
        for (var i = unit.FirstPiece; i <= unit.LastPiece; i++)
        {
            if (Stage == AttentionStage.Whole)
            {
                Piece(in unit, i, piece, rest);
            }
            else
            {
                piece = Partials + ((firstPartial + i - unit.FirstPiece) * PartialSize);
            }

            Merge(in unit, i, running, piece);
        }

        Finish(in unit, running);
    }

    /// <summary>Rows of a sequence and the query heads of a part.</summary>
    private readonly struct Unit
    {
        public int* Table { get; init; }
        public int FirstRow { get; init; }
        public int Rows { get; init; }
        public int FirstPosition { get; init; }
        public int KvHead { get; init; }
        public int FirstHead { get; init; }
        public int Heads { get; init; }
        public int FirstPiece { get; init; }
        public int LastPiece { get; init; }

        /// <summary>State r * Heads + h is head h of the part in row FirstRow + r.</summary>
        public int States => Rows * Heads;
        public int LastPosition => FirstPosition + Rows - 1;
    }

    /// <param name="block">Block of rows.</param>
    /// <param name="part">KV head and part of its query heads.</param>
    /// <param name="firstPartial">Index of its first piece among all.</param>
    private readonly Unit FindBlock(int block, int part, out long firstPartial)
    {
        firstPartial = 0;
        var s = 0;
        for (; ; s++)
        {
            var blocks = BlocksOf(s);
            if (block < blocks)
            {
                break;
            }

            for (var b = 0; Stage != AttentionStage.Whole && b < blocks; b++)
            {
                firstPartial += (long)PiecesOf(s, b) * KvHeads * Parts;
            }

            block -= blocks;
        }

        for (var b = 0; Stage != AttentionStage.Whole && b < block; b++)
        {
            firstPartial += (long)PiecesOf(s, b) * KvHeads * Parts;
        }

        var unit = UnitOf(s, block, part);
        firstPartial += (long)part * (unit.LastPiece - unit.FirstPiece + 1);
        return unit;
    }

    private readonly Unit FindPiece(int item, out int piece)
    {
        for (var s = 0; ; s++)
        {
            for (var b = 0; b < BlocksOf(s); b++)
            {
                var pieces = PiecesOf(s, b);
                if (item < pieces * KvHeads * Parts)
                {
                    var unit = UnitOf(s, b, item / pieces);
                    piece = unit.FirstPiece + (item % pieces);
                    return unit;
                }

                item -= pieces * KvHeads * Parts;
            }
        }
    }

    private readonly int BlocksOf(int sequence) => (RowStarts[sequence + 1] - RowStarts[sequence] + BlockRows(Group) - 1) / BlockRows(Group);

    private readonly int PiecesOf(int sequence, int block)
    {
        var first = RowStarts[sequence] + (block * BlockRows(Group));
        return Pieces(Positions[first], Math.Min(BlockRows(Group), RowStarts[sequence + 1] - first), Window, ValuesInKeys);
    }

    private readonly Unit UnitOf(int sequence, int block, int part)
    {
        int heads = Group / Parts, first = RowStarts[sequence] + (block * BlockRows(Group)), rows = Math.Min(BlockRows(Group), RowStarts[sequence + 1] - first);
        return new Unit
        {
            Table = BlockTables + BlockTableStarts[sequence],
            FirstRow = first,
            Rows = rows,
            FirstPosition = Positions[first],
            KvHead = part / Parts,
            FirstHead = part * heads,
            Heads = heads,
            FirstPiece = FirstSeen(Positions[first]) / PieceTokens(ValuesInKeys),
            LastPiece = (Positions[first] + rows - 1) / PieceTokens(ValuesInKeys),
        };
    }

    /// <summary>First token that the token at a position sees.</summary>
    private readonly int FirstSeen(int position) => Math.Max(0, position - Window + 1);

    /// <summary>Tokens from..to of those from <paramref name="start"/> to <paramref name="end"/> that a state sees, counted from start; false: none.</summary>
    private readonly bool Sees(in Unit unit, int state, int start, int end, out int from, out int to)
    {
        var position = unit.FirstPosition + (state / unit.Heads);
        from = Math.Max(FirstSeen(position), start) - start;
        to = Math.Min(position + 1, end) - start;
        return from < to;
    }

    /// <summary>Nothing yet, or a sink: a first token whose value is zero.</summary>
    private readonly void Start(in Unit unit, float* running)
    {
        var states = unit.States;
        for (var state = 0; state < states; state++)
        {
            running[state] = Sinks is null ? float.NegativeInfinity : Sinks[unit.FirstHead + (state % unit.Heads)];
            running[states + state] = Sinks is null ? 0 : 1;
        }

        new Span<float>(running + (2 * states), states * ValueDim).Clear();
    }

    /// <summary>Puts a piece's result behind what is there, for the states that see any of it.</summary>
    private readonly void Merge(in Unit unit, int index, float* running, float* piece)
    {
        int states = unit.States, tokens = PieceTokens(ValuesInKeys);
        for (var state = 0; state < states; state++)
        {
            if (!Sees(in unit, state, index * tokens, (index + 1) * tokens, out _, out _))
            {
                continue;
            }

            float before = running[state], here = piece[state], maximum = Math.Max(before, here);
            float keep = before == maximum ? 1 : MathF.Exp(before - maximum), add = here == maximum ? 1 : MathF.Exp(here - maximum);
            running[state] = maximum;
            running[states + state] = (running[states + state] * keep) + (piece[states + state] * add);
            var at = (2 * states) + (state * (long)ValueDim);
            AttentionArithmetic<TLanes, V>.Combine(running + at, keep, piece + at, add, ValueDim);
        }
    }

    private readonly void Finish(in Unit unit, float* running)
    {
        var states = unit.States;
        for (var state = 0; state < states; state++)
        {
            var output = Output + ((unit.FirstRow + (state / unit.Heads)) * OutputStride) + ((unit.FirstHead + (state % unit.Heads)) * (long)ValueDim);
            AttentionArithmetic<TLanes, V>.Scale(running + (2 * states) + (state * (long)ValueDim), 1f / running[states + state], output, ValueDim);
        }
    }

    /// <summary>Maxima, sums and accumulators of all states over one piece.</summary>
    private readonly void Piece(in Unit unit, int index, float* result, float* scratch)
    {
        int states = unit.States, tokens = PieceTokens(ValuesInKeys), strip = StripTokens(ValuesInKeys), start = index * tokens;
        int end = Math.Min(start + tokens, unit.LastPosition + 1), begin = Math.Max(start, FirstSeen(unit.FirstPosition)) / strip * strip;
        float* sums = result + states, accumulators = sums + states, scores = scratch, widened = scores + ((states + 3L) * tokens);
        for (var at = begin; at < end; at += strip)
        {
            Scores(in unit, at, Math.Min(end, at + strip), scores + (at - start), widened);
        }

        for (var state = 0; state < states; state++)
        {
            if (Sees(in unit, state, start, end, out var from, out var to))
            {
                var factor = Scale * Growth.At(unit.FirstPosition + (state / unit.Heads));
                result[state] = AttentionArithmetic<TLanes, V>.Softmax(scores + ((long)state * tokens), from, to, factor, SoftCap, out sums[state]);
            }
        }

        new Span<float>(accumulators, states * ValueDim).Clear();
        for (var at = begin; at < end; at += strip)
        {
            Accumulate(in unit, at, Math.Min(end, at + strip), scores + (at - start), accumulators, widened);
        }
    }

    /// <summary>Scores of the tokens at..end, of all states that see one of them.</summary>
    private readonly void Scores(in Unit unit, int at, int end, float* scores, float* widened)
    {
        int tokens = PieceTokens(ValuesInKeys), strip = StripTokens(ValuesInKeys), columns = (end - at + Column - 1) / Column;
        float** keys = stackalloc float*[4], ahead = stackalloc float*[4];
        for (var c = 0; c < 4; c++)
        {
            keys[c] = KeyColumn(in unit, at + (Column * Math.Min(c, columns - 1)), widened + (Column * c), strip, fill: c < columns);
            ahead[c] = Type == DType.F32 && !ValuesInKeys && at + strip + (Column * c) <= unit.LastPosition ? KeyColumn(in unit, at + strip + (Column * c), widened, strip, fill: false) : keys[c];
        }

        var pitch = Type != DType.F32 ? strip : PageSize;
        var first = Math.Max(0, at - unit.FirstPosition) * unit.Heads;
        var last = (int)Math.Min(unit.Rows, (long)end + Window - 1 - unit.FirstPosition) * unit.Heads;
        var q = Q + (unit.FirstRow * QStride) + ((long)unit.FirstHead * HeadDim);
        for (var state = first; state < last; state += AttentionArithmetic<TLanes, V>.Together)
        {
            float* q0 = Query(q, state, unit.Heads), q1 = Query(q, Math.Min(state + 1, last - 1), unit.Heads);
            float* q2 = Query(q, Math.Min(state + 2, last - 1), unit.Heads), q3 = Query(q, Math.Min(state + 3, last - 1), unit.Heads);
            var to = scores + ((long)state * tokens);
            if (ValuesInKeys)
            {
                AttentionArithmetic<TLanes, V>.ScoresOfRows(q0, q1, q2, q3, keys[0], HeadDim, end - at, to, tokens);
            }
            else if (TLanes.Width == Column)
            {
                for (var c = 0; c < columns; c += 2)
                {
                    AttentionArithmetic<TLanes, V>.Scores(q0, q1, q2, q3, keys[c], keys[c + 1], HeadDim, pitch, ahead[c], ahead[c + 1], to + (Column * c), tokens);
                }
            }
            else
            {
                for (var t = 0; t < Column * columns; t += 2 * TLanes.Width)
                {
                    float* a = keys[t / Column] + (t % Column), next = ahead[t / Column] + (t % Column);
                    AttentionArithmetic<TLanes, V>.Scores(q0, q1, q2, q3, a, a + TLanes.Width, HeadDim, pitch, next, next + TLanes.Width, to + t, tokens);
                }
            }
        }
    }

    /// <summary>Adds the weighted values of the tokens at..end to all states that see one of them.</summary>
    private readonly void Accumulate(in Unit unit, int at, int end, float* weights, float* accumulators, float* widened)
    {
        const int Together = AttentionArithmetic<TLanes, V>.Together;
        int tokens = PieceTokens(ValuesInKeys), strip = StripTokens(ValuesInKeys), columns = (end - at + Column - 1) / Column;
        float** values = stackalloc float*[4], ahead = stackalloc float*[4];
        for (var c = 0; c < columns; c++)
        {
            values[c] = ValueColumn(in unit, at + (Column * c), widened + ((long)Column * c * (ValuesInKeys ? HeadDim : ValueDim)), fill: true);
            ahead[c] = Type == DType.F32 && at + strip + (Column * c) <= unit.LastPosition ? ValueColumn(in unit, at + strip + (Column * c), widened, fill: false) : values[c];
        }

        var pitch = ValuesInKeys ? HeadDim : ValueDim;
        int* from = stackalloc int[Together], to = stackalloc int[Together];
        float** from4 = stackalloc float*[Together], to4 = stackalloc float*[Together];
        var spare = widened + ((long)strip * Math.Max(HeadDim, ValueDim));
        var first = Math.Max(0, at - unit.FirstPosition) * unit.Heads;
        var last = (int)Math.Min(unit.Rows, (long)end + Window - 1 - unit.FirstPosition) * unit.Heads;
        for (var state = first; state < last; state += Together)
        {
            var count = Math.Min(Together, last - state);
            int commonFrom = 0, commonTo = strip;
            for (var i = 0; i < count; i++)
            {
                Sees(in unit, state + i, at, end, out from[i], out to[i]);
                (commonFrom, commonTo) = (Math.Max(commonFrom, from[i]), Math.Min(commonTo, to[i]));
            }

            // States that are missing repeat the first, into a place that nobody reads.
            for (var i = 0; i < Together; i++)
            {
                to4[i] = i < count ? accumulators + ((state + i) * (long)ValueDim) : spare;
                from4[i] = weights + ((state + (i < count ? i : 0)) * (long)tokens);
            }

            if (commonFrom >= commonTo)
            {
                commonFrom = commonTo = strip;
            }

            // What only some of them see stands before or behind what all see: each adds its tokens in their order.
            for (var i = 0; i < count; i++)
            {
                AttentionArithmetic<TLanes, V>.Accumulate(0, to4[i], from4[i], values, ahead, pitch, ValueDim, from[i], Math.Min(to[i], commonFrom));
            }

            AttentionArithmetic<TLanes, V>.AccumulateFour(to4, from4, values, ahead, pitch, ValueDim, commonFrom, commonTo);
            for (var i = 0; i < count; i++)
            {
                AttentionArithmetic<TLanes, V>.Accumulate(0, to4[i], from4[i], values, ahead, pitch, ValueDim, Math.Max(from[i], commonTo), to[i]);
            }
        }
    }

    private readonly float* Query(float* q, int state, int heads) => q + (state / heads * QStride) + (state % heads * HeadDim);

    /// <summary>Keys of sixteen tokens: <c>[headDim][pitch]</c>, or <c>[16][headDim]</c> where values lie in them.</summary>
    /// <param name="unit">Whose.</param>
    /// <param name="token">The first of them.</param>
    /// <param name="widened">Where those of another type than float32 go.</param>
    /// <param name="pitch">Of that.</param>
    /// <param name="fill">Whether it is to be filled.</param>
    private readonly float* KeyColumn(in Unit unit, int token, float* widened, int pitch, bool fill)
    {
        int page = Math.Max(token / PageSize, FirstSeen(unit.FirstPosition) / PageSize), slot = token % PageSize;
        var slab = Keys + ((((long)unit.Table[page] * KvHeads) + unit.KvHead) * KvSlabs.Bytes(Type, HeadDim, PageSize));
        if (Type == DType.F32)
        {
            return (float*)slab + (ValuesInKeys ? (long)slot * HeadDim : slot);
        }

        if (fill && ValuesInKeys)
        {
            KvSlabs<TLanes, V>.WidenRows(Type, slab, slot, HeadDim, PageSize, widened);
        }
        else if (fill)
        {
            KvSlabs<TLanes, V>.WidenKeys(Type, slab, slot, HeadDim, PageSize, widened, pitch);
        }

        return widened;
    }

    /// <summary>Values of sixteen tokens: <c>[16][valueDim]</c>, or the ends of keys.</summary>
    private readonly float* ValueColumn(in Unit unit, int token, float* widened, bool fill)
    {
        if (ValuesInKeys)
        {
            return KeyColumn(in unit, token, widened, 0, fill) + HeadDim - ValueDim;
        }

        int page = Math.Max(token / PageSize, FirstSeen(unit.FirstPosition) / PageSize), slot = token % PageSize;
        var slab = Values + ((((long)unit.Table[page] * KvHeads) + unit.KvHead) * KvSlabs.Bytes(Type, ValueDim, PageSize));
        if (Type == DType.F32)
        {
            return (float*)slab + ((long)slot * ValueDim);
        }

        if (fill)
        {
            KvSlabs<TLanes, V>.WidenRows(Type, slab, slot, ValueDim, PageSize, widened);
        }

        return widened;
    }
}
