using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda;

// The C# twins of the kernels' params structs, field by field; their sizes are asserted when the kernels are compiled.
#pragma warning disable MA0048 // one file, because they are one table

/// <summary>Rows on the card: address of the first element, elements from one row to the next.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct RowsView(nint data, long stride)
{
    public readonly nint Data = data;
    public readonly long Stride = stride;

    public RowsView(Rows rows) : this(rows.Buffer.Address + (rows.Column * sizeof(float)), rows.Stride)
    {
    }
}

[StructLayout(LayoutKind.Sequential)]
internal struct EmbedParams
{
    public nint Table;
    public nint Ids;
    public RowsView Output;
    public int Columns;
    public int Rows;
    public float Scale;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct MatchParams
{
    public RowsView X;
    public RowsView Reference;
    public RowsView Output;
    public int Columns;
    public float Floor;
}

[StructLayout(LayoutKind.Sequential)]
internal struct CutParams
{
    public RowsView X;
    public int Columns;
    public float Deviations;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RmsNormParams
{
    public RowsView X;
    public RowsView Addend;
    public RowsView Output;
    public nint Gain;
    public long GainStride;
    public int Columns;
    public float Epsilon;
    public float Scale;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LayerNormParams
{
    public RowsView X;
    public RowsView Output;
    public nint Gain;
    public nint Bias;
    public int Columns;
    public float Epsilon;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ElementwiseParams
{
    public RowsView X;
    public RowsView Y;
    public RowsView Z;
    public int Columns;
    public float A;
    public float B;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ActivationParams(Activation activation)
{
    public int Kind = (int)activation.Kind;
    public float P = activation.P;
    public float N = activation.N;
    public float Beta = activation.Beta;
    public float Epsilon = activation.Epsilon;
    public float Alpha = activation.Alpha;
    public float Limit = activation.Limit;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ActivateParams
{
    public RowsView X;
    public RowsView Gate;
    public RowsView Output;
    public ActivationParams Activation;
    public int Columns;
    public int Other;
}

[StructLayout(LayoutKind.Sequential)]
internal struct GatherParams
{
    public RowsView X;
    public RowsView Output;
    public nint Indexes;
    public int Columns;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct Target
{
    public nint Weights;
    public nint Bias;
    public int First;
    public int Outputs;
}

[InlineArray(Count)]
internal struct Targets
{
    public const int Count = 8;
    private Target _first;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinearParams
{
    public RowsView X;
    public RowsView Output;
    public Targets Targets;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ConvertParams
{
    public RowsView X;
    public nint Output;
    public int Columns;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct LinearTilesParams
{
    public nint X;
    public RowsView Output;
    public Targets Targets;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ExpertLinearParams
{
    public RowsView X;
    public RowsView Output;
    public nint Targets;
    public nint Starts;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RotaryTableParams
{
    public nint Positions;
    public nint Lengths;
    public nint Inverse;
    public nint Far;
    public RowsView Table;
    public double Theta;
    public double Factor;
    public int Half;
    public int OriginalLength;
    public int FarLength;
    public float Magnitude;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RotateParams
{
    public RowsView Qkv;
    public RowsView Rotary;
    public nint Keys;
    public nint Values;
    public nint Positions;
    public nint RowStarts;
    public nint TableStarts;
    public nint Tables;
    public int Sequences;
    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int Half;
    public int Neighbours;
    public int PageSize;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct AttentionParams
{
    public RowsView Q;
    public RowsView Output;
    public nint Keys;
    public nint Values;
    public nint Positions;
    public nint RowStarts;
    public nint TableStarts;
    public nint Tables;
    public nint Sinks;
    public int Sequences;
    public int Group;
    public int KvHeads;
    public int PageSize;
    public int Window;
    public int GrowthLength;
    public float GrowthBeta;
    public float Scale;
    public float SoftCap;
    public int OnlySeveral;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ConvolutionParams
{
    public RowsView X;
    public RowsView Output;
    public nint Kernel;
    public nint Bias;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateSize;
    public ActivationParams Activation;
    public int Columns;
    public int Activated;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ScanParams
{
    public RowsView Xbc;
    public RowsView Steps;
    public RowsView Output;
    public nint LogDecay;
    public nint StepBias;
    public nint Skip;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateElements;
    public int Heads;
    public int HeadDim;
    public int Groups;
    public int StateSize;
    public float MinStep;
    public float MaxStep;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DeltaParams
{
    public RowsView Qkv;
    public RowsView Betas;
    public RowsView Decays;
    public RowsView Output;
    public nint LogDecay;
    public nint DecayBias;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateElements;
    public int KeyHeads;
    public int ValueHeads;
    public int KeyDim;
    public int ValueDim;
    public int DecaysPerHead;
    public float BetaScale;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RouteParams
{
    public RowsView Logits;
    public RowsView Weights;
    public nint Correction;
    public nint Factors;
    public nint Ids;
    public int Experts;
    public int Chosen;
    public int Sigmoid;
    public int Groups;
    public int ChosenGroups;
    public int GroupBest;
    public int Normalised;
    public float Epsilon;
    public float Scale;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ArrangeParams
{
    public nint Tokens;
    public nint Places;
    public nint Starts;
    public int Count;
    public int Experts;
    public int Chosen;
    private readonly int _unused;
}

[StructLayout(LayoutKind.Sequential)]
internal struct CombineParams
{
    public RowsView X;
    public RowsView Weights;
    public RowsView Output;
    public nint Places;
    public int Columns;
    public int Chosen;
}
