using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI;

/// <summary>Compiled grammars by what they enforce, and with them all that was computed while they were used; also what could not be compiled, so that it is not tried again. What was used last stays,
/// as long as all of it fits. Whoever asks for what another is compiling waits for it. Safe for concurrent use.</summary>
/// <param name="maxBytes">Bytes of grammars and keys together; one that is larger alone is not kept.</param>
internal sealed class GrammarCache(long maxBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<Entry>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<Entry> _byUse = [];

    /// <summary>Bytes of what is kept, about.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate)
            {
                return _byUse.Sum(entry => entry.Bytes);
            }
        }
    }

    /// <summary>The grammar of a key, compiled if it is not there; null where <paramref name="compile"/> gives none.</summary>
    /// <exception cref="GrammarException">What <paramref name="compile"/> threw, now or before. Anything else that it throws is not kept.</exception>
    public Grammar? Get(string key, Func<Grammar?> compile)
    {
        var entry = Find(key, compile);
        try
        {
            var (grammar, error) = entry.Outcome.Value;
            Trim();
            return error is null ? grammar : throw new GrammarException(error.Reason, error.Message, error.Pointer);
        }
        catch (Exception e) when (e is not GrammarException)
        {
            Forget(entry);
            throw;
        }
    }

    private Entry Find(string key, Func<Grammar?> compile)
    {
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var known))
            {
                _byUse.Remove(known);
                _byUse.AddFirst(known);
                return known.Value;
            }

            var entry = new Entry(key, new Lazy<(Grammar?, GrammarException?)>(() => Compile(compile)));
            _byKey.Add(key, _byUse.AddFirst(entry));
            return entry;
        }
    }

    private static (Grammar? Grammar, GrammarException? Error) Compile(Func<Grammar?> compile)
    {
        try
        {
            return (compile(), null);
        }
        catch (GrammarException e)
        {
            return (null, e);
        }
    }

    /// <summary>Grammars grow while they are used: the sum is taken anew.</summary>
    private void Trim()
    {
        lock (_gate)
        {
            var bytes = 0L;
            for (var node = _byUse.First; node is not null;)
            {
                var next = node.Next;
                bytes += node.Value.Bytes;
                if (bytes > maxBytes)
                {
                    bytes -= node.Value.Bytes;
                    _byKey.Remove(node.Value.Key);
                    _byUse.Remove(node);
                }

                node = next;
            }
        }
    }

    private void Forget(Entry entry)
    {
        lock (_gate)
        {
            if (_byKey.TryGetValue(entry.Key, out var node) && ReferenceEquals(node.Value, entry))
            {
                _byKey.Remove(entry.Key);
                _byUse.Remove(node);
            }
        }
    }

    private sealed record Entry(string Key, Lazy<(Grammar? Grammar, GrammarException? Error)> Outcome)
    {
        public long Bytes => (Outcome is { IsValueCreated: true, Value.Grammar: { } grammar } ? grammar.Bytes : 0) + (2L * Key.Length) + 256;
    }
}
