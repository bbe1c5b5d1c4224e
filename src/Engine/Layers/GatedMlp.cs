using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>down(activation(gate(x)) * up(x))</summary>
/// <param name="GateUp">gate, up: one product.</param>
/// <param name="Down">Back to the model's width.</param>
/// <param name="Activation">The gate's function.</param>
internal sealed record GatedMlp(Projection[] GateUp, Projection[] Down, Activation Activation)
{
    /// <param name="backend">Where it runs.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="x"><c>[tokens, hidden]</c></param>
    /// <param name="gateUp">Scratch <c>[tokens, 2 * intermediate]</c></param>
    /// <param name="inner">Scratch <c>[tokens, intermediate]</c></param>
    /// <param name="output"><c>[tokens, hidden]</c></param>
    public void Forward(IBackend backend, int rows, Rows x, Rows gateUp, Rows inner, Rows output)
    {
        backend.Linear(x, GateUp, gateUp, rows);
        backend.GatedActivation(gateUp, Activation, inner, rows);
        backend.Linear(inner, Down, output, rows);
    }
}
