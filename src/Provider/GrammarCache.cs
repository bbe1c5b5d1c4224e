using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI;

/// <summary>Compiled grammars by what they enforce, and with them all that was computed while they were used. What was used last stays, as long as all of it fits. Safe for concurrent use.</summary>
/// <param name="maxBytes">Bytes of grammars and keys together; one that is larger alone is not kept.</param>
internal sealed class GrammarCache(long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, Grammar Grammar)>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Key, Grammar Grammar)> _byUse = [];

    /// <summary>Bytes of what is kept, about.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _byUse.Sum(Size);
            }
        }
    }

    /// <summary>The grammar of a key, compiled if it is not there. Two who ask at once may both compile; one result stays.</summary>
    public Grammar Get(string key, Func<Grammar> compile)
    {
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var known))
            {
                _byUse.Remove(known);
                _byUse.AddFirst(known);
                return known.Value.Grammar;
            }
        }

        var grammar = compile();
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var known))
            {
                return known.Value.Grammar;
            }

            _byKey.Add(key, _byUse.AddFirst((key, grammar)));

            // Grammars grow while they are used: the sum is taken anew.
            var bytes = 0L;
            for (var node = _byUse.First; node is not null;)
            {
                var next = node.Next;
                bytes += Size(node.Value);
                if (bytes > maxBytes)
                {
                    _byKey.Remove(node.Value.Key);
                    _byUse.Remove(node);
                }

                node = next;
            }

            return grammar;
        }
    }

    private static long Size((string Key, Grammar Grammar) entry) => entry.Grammar.Bytes + (2L * entry.Key.Length) + 256;
}
