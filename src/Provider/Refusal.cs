using KvPrefetch.Engine;

namespace KvPrefetch.AI;

/// <summary>Errors about a request, which name a property of the caller's options rather than a parameter of ours.</summary>
internal static class Refusal
{
#pragma warning disable MA0015, CA2208 // the name is the caller's
    public static InvalidRequestException Of(string name, string message) => new(message, name);
#pragma warning restore MA0015, CA2208

    public static InvalidRequestException Of(string name, FormattableString message) => Of(name, FormattableString.Invariant(message));
}
