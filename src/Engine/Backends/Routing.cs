namespace KvPrefetch.Engine.Backends;

/// <summary>How the scores of a token's experts are made of the router's output.</summary>
internal enum RouterFunction
{
    /// <summary>Over all experts. With <see cref="Routing.Normalised"/> it equals a softmax over the chosen ones alone.</summary>
    Softmax,
    /// <summary>Each expert by itself.</summary>
    Sigmoid,
}

/// <summary>Which experts a token is sent to and with what weight: the best <paramref name="Chosen"/> by score, plus correction where there is one, within the best groups where there are several.</summary>
/// <param name="Experts">Experts of the layer; a multiple of <see cref="Groups"/>.</param>
/// <param name="Chosen">Experts of a token.</param>
/// <param name="Function">From the router's output to scores; the weights are the scores of the chosen.</param>
internal sealed record Routing(int Experts, int Chosen, RouterFunction Function)
{
    /// <summary><c>[experts]</c> added to the scores for the choice and not for the weights, or null.</summary>
    public DeviceBuffer? Correction { get; init; }

    /// <summary>Parts of equal size that the experts fall into.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that stay; experts of the others are not chosen.</summary>
    public int ChosenGroups { get; init; } = 1;

    /// <summary>A group is as good as the sum of its so many best experts.</summary>
    public int GroupBest { get; init; } = 1;

    /// <summary>Weights are divided by their sum + <see cref="Epsilon"/>.</summary>
    public bool Normalised { get; init; }
    public float Epsilon { get; init; }

    /// <summary><c>[experts]</c> factor of each expert on its weight, normalised or not; or null.</summary>
    public DeviceBuffer? Factors { get; init; }

    /// <summary>Factor on the weights.</summary>
    public float Scale { get; init; } = 1f;
}

/// <summary>Where the tokens of a step go: their rows once for each chosen expert, expert by expert, tokens in order within an expert. A place is a row of that arrangement.</summary>
/// <param name="Tokens">int32 <c>[tokens * chosen]</c>: the token at each place.</param>
/// <param name="Places">int32 <c>[tokens * chosen]</c>: the place of a token's first choice, second choice, ...</param>
/// <param name="Starts">int32 <c>[experts + 1]</c>: first place of each expert.</param>
/// <param name="Weights"><c>[tokens, chosen]</c></param>
internal sealed record ExpertPlan(DeviceBuffer Tokens, DeviceBuffer Places, DeviceBuffer Starts, Rows Weights) : IDisposable
{
    public static ExpertPlan Allocate(IBackend backend, int tokens, int experts, int chosen) =>
        new(backend.AllocateInts(checked(tokens * chosen)), backend.AllocateInts(checked(tokens * chosen)), backend.AllocateInts(experts + 1), backend.AllocateRows(tokens, chosen));

    public void Dispose()
    {
        Tokens.Dispose();
        Places.Dispose();
        Starts.Dispose();
        Weights.Buffer.Dispose();
    }
}
