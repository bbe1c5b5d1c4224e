namespace KvPrefetch.Engine.Backends;

/// <summary>Shape of a selective scan.</summary>
/// <param name="Heads">A multiple of <paramref name="Groups"/>.</param>
/// <param name="HeadDim">Elements of x in a head.</param>
/// <param name="Groups">Pairs of B and C.</param>
/// <param name="StateSize">Elements of B and of C.</param>
/// <param name="MinStep">Least step.</param>
/// <param name="MaxStep">Largest step.</param>
internal readonly record struct ScanShape(int Heads, int HeadDim, int Groups, int StateSize, float MinStep = 0, float MaxStep = float.PositiveInfinity)
{
    public int Columns => Heads * HeadDim;
    public int GroupColumns => Groups * StateSize;

    /// <summary>Columns of a row that holds x, B and C side by side.</summary>
    public int XbcColumns => Columns + (2 * GroupColumns);
    public int StateElements => checked(Heads * HeadDim * StateSize);
}

/// <summary>Weights of a selective scan, float32 <c>[heads]</c> each.</summary>
internal sealed record ScanWeights(DeviceBuffer LogDecay, DeviceBuffer StepBias, DeviceBuffer Skip);

/// <summary>Shape of a gated delta rule.</summary>
/// <param name="KeyHeads">Heads of q and k.</param>
/// <param name="ValueHeads">Heads of v; a multiple of <paramref name="KeyHeads"/>.</param>
/// <param name="KeyDim">Elements of a head of q and k; at most 1,024.</param>
/// <param name="ValueDim">Elements of a head of v.</param>
/// <param name="BetaScale">Factor on how much of what is known a token replaces.</param>
internal readonly record struct DeltaShape(int KeyHeads, int ValueHeads, int KeyDim, int ValueDim, float BetaScale = 1)
{
    public int KeyColumns => KeyHeads * KeyDim;
    public int ValueColumns => ValueHeads * ValueDim;

    /// <summary>Columns of a row that holds q, k and v side by side.</summary>
    public int QkvColumns => (2 * KeyColumns) + ValueColumns;
    public int StateElements => checked(ValueHeads * KeyDim * ValueDim);
}

/// <summary>Weights of a gated delta rule, float32: <c>[valueHeads]</c>, and a bias for each column of the decays.</summary>
internal sealed record DeltaWeights(DeviceBuffer LogDecay, DeviceBuffer DecayBias);
