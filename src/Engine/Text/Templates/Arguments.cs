namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Arguments of a call, evaluated.</summary>
internal sealed class Arguments(Value[] positional, List<KeyValuePair<string, Value>>? named = null)
{
    public static readonly Arguments None = new([]);

    public Value[] Positional { get; } = positional;

    public List<KeyValuePair<string, Value>>? Named { get; } = named;

    public bool HasNamed => Named is { Count: > 0 };

    /// <summary>The arguments in the order of <paramref name="names"/>; null for each that is absent. Fails on unknown, doubled, surplus or missing ones.</summary>
    public Value?[] Bind(RenderState state, string callee, int required, params ReadOnlySpan<string> names)
    {
        if (Positional.Length > names.Length)
        {
            throw state.Raise($"{callee} takes at most {names.Length} arguments ({Positional.Length} given)");
        }

        var bound = new Value?[names.Length];
        Positional.CopyTo(bound, 0);
        foreach (var (name, value) in Named ?? [])
        {
            var index = names.IndexOf(name);
            if (index < 0)
            {
                throw state.Raise($"{callee} got an unexpected keyword argument '{Shorten.Text(name)}'");
            }

            if (bound[index] is not null)
            {
                throw state.Raise($"{callee} got multiple values for argument '{names[index]}'");
            }

            bound[index] = value;
        }

        for (var i = 0; i < required; i++)
        {
            if (bound[i] is null)
            {
                throw state.Raise($"{callee} misses the argument '{names[i]}'");
            }
        }

        return bound;
    }

    /// <summary>All arguments, of which there may be no named ones and at most <paramref name="most"/>.</summary>
    public Value[] Plain(RenderState state, string callee, int least, int most)
    {
        if (HasNamed)
        {
            throw state.Raise($"{callee} takes no keyword arguments");
        }

        if (Positional.Length < least || Positional.Length > most)
        {
            throw state.Raise($"{callee} takes {(least == most ? $"{least}" : $"{least} to {most}")} arguments ({Positional.Length} given)");
        }

        return Positional;
    }

    public Arguments With(string name, Value value)
        => new(Positional, [.. Named ?? [], KeyValuePair.Create(name, value)]);
}
