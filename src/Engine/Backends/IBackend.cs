using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>The compute contract: destination-passing verbs over buffers that are allocated once. Called by one thread at a time.
/// A row's result never depends on the other rows of the call: the same bits alone, in any batch, chunk or thread count.</summary>
internal interface IBackend : IDisposable
{
    string Name { get; }

    /// <summary>Threads that compute.</summary>
    int Threads { get; }

    /// <summary>The matrix <c>[rows, columns]</c> at <paramref name="address"/> in host memory, in its stored type. The host memory must outlive the weight.</summary>
    Weight LoadMatrix(string name, DType type, int rows, int columns, nint address);

    /// <summary>A matrix in few bits, for <see cref="Linear"/> and <see cref="ExpertLinear"/>. A backend that cannot multiply by it refuses it.</summary>
    Weight LoadPacked(string name, PackedMatrix matrix) => throw new UnsupportedModelException($"'{name}' is quantised ({matrix.Format}), which the backend {Name} does not multiply by; supported there: weights in BF16, F16 or F32.", name);

    /// <summary>A matrix for <see cref="Linear"/> and <see cref="ExpertLinear"/> whose weights are, or will be by <see cref="Quantise"/>, laid out as <see cref="GroupedLayout"/> says.
    /// A backend that cannot multiply by it refuses it.</summary>
    Weight LoadGrouped(string name, WeightFormat format, int rows, int columns, DeviceBuffer panels) =>
        throw new UnsupportedModelException($"Weights = {format} is for the processor; the backend {Name} takes weights as they are stored.", name);

    /// <summary>Fills the panels of <see cref="LoadGrouped"/> from the matrix at <paramref name="source"/>, row-major in host memory.</summary>
    /// <param name="weight">Of <see cref="LoadGrouped"/>.</param>
    /// <param name="type">Of the source: F32, F16 or BF16.</param>
    /// <param name="source">First element, without any alignment.</param>
    /// <param name="isMapped">The source is a mapped file, whose pages the system may have back afterwards.</param>
    void Quantise(Weight weight, DType type, nint source, bool isMapped) => throw new NotSupportedException(Name);

    /// <summary>The vector at <paramref name="address"/> in host memory, as float32, <paramref name="offset"/> added to every element.</summary>
    DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0);

    /// <summary>Scratch for activations.</summary>
    Rows AllocateRows(int rows, int columns);

    /// <summary>Scratch for integers.</summary>
    DeviceBuffer AllocateInts(int length);

    /// <summary>The cache of a model's layers.</summary>
    /// <param name="layout">What the layers keep.</param>
    /// <param name="pages">Pages of each of its groups.</param>
    KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages);

    /// <summary>Bytes that a page takes in this layer.</summary>
    long KvPageBytes(KvLayer layer, int pageSize);

    /// <summary>Memory of recurrent layers: one state of float32 for each entry of <paramref name="sizes"/> and each slot.</summary>
    StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots);

    /// <summary>Copies integers to the start of a buffer of <see cref="AllocateInts"/>.</summary>
    void Upload(ReadOnlySpan<int> source, DeviceBuffer destination);

    /// <summary>Row <paramref name="row"/> as host floats; on the CPU the memory itself, so that writing to it is allowed and lasts until the next step.</summary>
    Span<float> Download(Rows rows, int row);

    /// <summary>Brings the first rows to the host at once, for <see cref="Download"/> to find there. Nothing where they are.</summary>
    void Fetch(Rows rows, int count)
    {
    }

    /// <summary>Whether rows of logits are better read as a summary: false where they lie in host memory, so that <see cref="Download"/> costs nothing.</summary>
    bool Summarises(int vocabulary) => false;

    /// <summary>What a draw needs of each of the first rows of logits <c>[rows, vocabulary]</c>, in <see cref="LogitSummary.Results"/>: the largest allowed logit and the lowest id that has it, and, where the row's setting names a scale,
    /// the <see cref="LogitSummary.Candidates"/> largest allowed logits above -infinity with their ids, in any order, the lower ids first among equal ones, and for each run of tokens the sum of
    /// <see cref="SoftWeights.Exponentials"/> as <see cref="SoftWeights.Sum"/> has it, to the bit.</summary>
    /// <param name="logits">The rows.</param>
    /// <param name="summary">Settings and masks in, results out.</param>
    /// <param name="rows">How many.</param>
    /// <param name="draws">Whether any row's setting names a scale.</param>
    void Summarise(Rows logits, LogitSummary summary, int rows, bool draws) => HostSummary.Of(this, logits, summary, rows);

    /// <summary>The first integers of a buffer, once all that was asked for is done; valid until the next call.</summary>
    unsafe ReadOnlySpan<int> DownloadInts(DeviceBuffer integers, int count) => new((void*)integers.Address, count);

    /// <summary>Bytes that the key-value cache may take when nobody says: a share of the memory that is left once the weights are loaded. Pages of host memory cost nothing until they are used.</summary>
    long CacheBudget => (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * 0.25);

    /// <summary>Does what <paramref name="launch"/> does: verbs over buffers that stay, none of them <see cref="Download"/> or <see cref="Upload"/>.
    /// A backend may record it at one call and repeat the record at later ones with the same key.</summary>
    /// <param name="key">Names the launches and their arguments, the uploaded integers left out; 0: not to be repeated.</param>
    /// <param name="launch">The verbs.</param>
    void Run(int key, Action launch) => launch();

    /// <summary>output[t] = table[ids[t]] * scale : <c>[tokens, columns]</c>. The ids are the step's tokens, or its positions where the table is one of positions.
    /// An id beyond the table takes row 0: a model may have a further table that ends earlier than its vocabulary.</summary>
    void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output);

    /// <summary>output = x / sqrt(mean(x²) + epsilon) * gain, for each of <paramref name="groups"/> equal parts of a row by itself. The gain is as long as a part, which all share (the heads of q or k), or as a row. May be in place.</summary>
    void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1);

    /// <summary>residual += x * scale; output = RmsNorm(residual).</summary>
    void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows);

    /// <summary>output = (x - mean) / sqrt(variance + epsilon) * gain + bias, per row; bias may be null. May be in place.</summary>
    void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows);

    /// <summary>residual += x * scale</summary>
    void Add(Rows residual, Rows x, float scale, int rows);

    /// <summary>output = x * Wᵀ + bias for each projection, side by side: <c>[rows, sum of outputs]</c></summary>
    void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows);

    /// <summary>Whether this step's units and normed products, below, are faster as one verb than as several. Where they are not, the verbs they consist of have fewer passes over the rows.</summary>
    bool Folds(in StepInputs step) => false;

    /// <summary>An attention block of the residual stream, whatever its scratch holds then.</summary>
    void Attend(in StepInputs step, NormedRows residual, in AttentionUnit unit) => Units.Attend(this, step, residual, unit);

    /// <summary>A feed-forward block of the residual stream.</summary>
    void FeedForward(NormedRows residual, in GatedUnit unit, int rows) => Units.FeedForward(this, residual, unit, rows);

    /// <summary>output = RmsNorm(x) * Wᵀ + bias for each projection, side by side.</summary>
    void NormedLinear(NormedRows x, ReadOnlySpan<Projection> projections, Rows output, int rows) => Units.NormedLinear(this, x, projections, output, rows);

    /// <summary>A product for each head of a row: output[t, h] = kept | rest * W_hᵀ, where x[t, h] = kept | rest. Rows are the heads' parts side by side.</summary>
    /// <param name="x"><c>[rows, heads * (kept + inputs)]</c></param>
    /// <param name="kept">Columns of a head that are copied.</param>
    /// <param name="heads">For each head its matrix <c>[outputs, inputs]</c>, all of one type, without bias.</param>
    /// <param name="output"><c>[rows, heads * (kept + outputs)]</c></param>
    /// <param name="rows">Rows.</param>
    void LinearByHead(Rows x, int kept, ReadOnlySpan<Projection> heads, Rows output, int rows) => HeadProducts.OneByOne(this, x, kept, heads, output, rows);

    /// <summary>Cosines and sines of every token of the step: <c>[tokens, rotaryDim]</c>, cosines first.</summary>
    void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table);

    /// <summary>Turns the first elements of every head of q and k, as many as the table has columns, and stores k and v in the tokens' pages. qkv: <c>[tokens, heads*d | kvHeads*d | kvHeads*d]</c>,
    /// without the last part where values lie in the keys.
    /// A shape with 0 KvHeads turns q alone and stores nothing: the layer then attends over an earlier layer's pages.</summary>
    void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape);

    /// <summary>Causal attention of every token over its sequence's pages up to itself; pages that are wholly before its window are never read. q: the first columns of qkv; output: <c>[tokens, heads*valueDim]</c></summary>
    void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape);

    /// <summary>output = activation(gate) * up; gateUp: <c>[rows, n | n]</c>, output: <c>[rows, n]</c></summary>
    void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows);

    /// <summary>output = activation(x), element by element. May be in place.</summary>
    void Activate(Rows x, Activation activation, Rows output, int rows);

    /// <summary>output = x * activation(gate); each of the gate's columns belongs to x.Columns / gate.Columns of x; a gate with stride 0 is one row for all. May be in place.</summary>
    void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows);

    /// <summary>Causal convolution of each column by itself over its sequence: output[t] = activation(bias + sum over j of kernel[j] * x[t - width + 1 + j]).
    /// The state keeps the last width - 1 inputs. Kernel: <c>[columns, width]</c>, width at most 16; bias and activation may be null. May be in place.</summary>
    void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output);

    /// <summary>Selective state space of Mamba 2, token after token: with d = clamp(softplus(steps + StepBias)),
    /// S = S * exp(-exp(LogDecay) * d) + d * x ⊗ B and output = S · C + Skip * x, for each head; the heads of a group share B and C.
    /// xbc: <c>[tokens, heads*headDim | groups*stateSize | groups*stateSize]</c>; steps: <c>[tokens, heads]</c>; output: <c>[tokens, heads*headDim]</c>; state: <c>[heads][headDim][stateSize]</c></summary>
    void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output);

    /// <summary>Gated delta rule, token after token: with q and k of length 1, q / sqrt(keyDim), and g = exp(-exp(LogDecay) * softplus(decays + DecayBias)),
    /// S = g * S; S += k ⊗ (v - kᵀS) * BetaScale * sigmoid(betas); output = qᵀS, for each value head; consecutive value heads share a key head.
    /// qkv: <c>[tokens, keyHeads*keyDim | keyHeads*keyDim | valueHeads*valueDim]</c>; betas: <c>[tokens, valueHeads]</c>; decays: <c>[tokens, valueHeads]</c> or one for each row of the state,
    /// <c>[tokens, valueHeads*keyDim]</c>; output: <c>[tokens, valueHeads*valueDim]</c>; state: <c>[valueHeads][keyDim][valueDim]</c></summary>
    void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output);

    /// <summary>x = x * scale, then, unless <paramref name="cap"/> is 0, cap * tanh(x / cap).</summary>
    void ScaleAndCap(Rows x, float scale, float cap, int rows);

    /// <summary>output = x * sqrt(mean(reference²)) / sqrt(max(mean(x²), floor)), per row: x as long as the reference. May be in place.</summary>
    void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows);

    /// <summary>x = max(0, x - mean - deviations * standard deviation), both of the row itself: what does not stand out becomes 0.</summary>
    void CutBelow(Rows x, float deviations, int rows);

    /// <summary>output[i] = x[rowIndexes[i]]</summary>
    void GatherRows(Rows x, Ints rowIndexes, Rows output, int count);

    /// <summary>Chooses every token's experts from the router's output <c>[tokens, experts]</c> and arranges the tokens by expert.</summary>
    void Route(Rows logits, Routing routing, ExpertPlan plan, int rows);

    /// <summary>Each expert's product over its own places: output[p] = x[p] * Wᵀ + bias, a token's bits as in <see cref="Linear"/>. The weights of an expert with tokens are read once, those of others not at all.</summary>
    /// <param name="x"><c>[places, inputs]</c></param>
    /// <param name="plan">Which places are whose.</param>
    /// <param name="experts">For each expert its projections, side by side.</param>
    /// <param name="output"><c>[places, sum of outputs]</c></param>
    /// <param name="places">Tokens times chosen experts.</param>
    void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places);

    /// <summary>output[t] = sum over the token's choices, in order, of weight * x[place] : <c>[tokens, columns]</c></summary>
    void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows);

    /// <summary>residual[t] += x[t] * sigmoid(gate[t]); gate: <c>[rows, 1]</c></summary>
    void AddGated(Rows residual, Rows x, Rows gate, int rows);
}
