using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Walks tries of tokens under a grammar and notes which tokens are allowed. One a constraint state: it owns its stacks.</summary>
internal sealed class MaskWalk(TokenVocabulary vocabulary)
{
    private Cursor[] _stack = new Cursor[vocabulary.Trie.MaxDepth + 2];
    private int[] _states = new int[vocabulary.Trie.MaxDepth + 2];

    public TokenVocabulary Vocabulary { get; } = vocabulary;

    /// <summary>The mask being filled: one bit a token id.</summary>
    public uint[] Mask { get; } = new uint[vocabulary.Words];

    public void Allow(int id) => Mask[id >> 5] |= 1u << id;

    /// <summary>Allows every token of a trie whose bytes the grammar takes.</summary>
    public void Walk(TokenTrie trie, Cursor start) => Walk(trie, start, 0, trie.Count, 0, static (walk, value) => walk.Allow(value));

    /// <summary>Calls <paramref name="found"/> with every value of a part of a trie whose bytes, from a depth on, the grammar takes.</summary>
    public void Walk(TokenTrie trie, Cursor start, int from, int to, int depth, Action<MaskWalk, int> found)
    {
        var stack = _stack;
        // A walk may be started within another, deeper down: each uses its own part of the stack.
        stack[depth] = start;
        var labels = trie.Label;
        var depths = trie.Depth;
        for (var i = from; i < to;)
        {
            var at = depths[i];
            ref readonly var cursor = ref stack[at];
            var next = cursor.Mode!.Step(cursor.Value, labels[i]);
            if (next.IsDead)
            {
                i = trie.End[i];
                continue;
            }

            stack[at + 1] = next;
            for (var t = trie.First[i]; t < trie.First[i + 1]; t++)
            {
                found(this, trie.Tokens[t]);
            }

            i++;
        }
    }

    /// <summary>Allows every token whose bytes an automaton takes. Where <paramref name="leaves"/> has a byte, the mode decides about it and what follows.</summary>
    /// <param name="pool">Its states.</param>
    /// <param name="state">Where it starts.</param>
    /// <param name="leaves">One flag a byte; null for none.</param>
    /// <param name="mode">Steps at bytes that leave; its value is the automaton's state.</param>
    public void WalkAutomaton(ExprPool pool, int state, bool[]? leaves, Mode? mode)
    {
        var trie = Vocabulary.Trie;
        var states = _states;
        states[0] = state;
        var labels = trie.Label;
        var depths = trie.Depth;
        var first = trie.First;
        var mask = Mask;
        var count = labels.Length;
        for (var i = 0; i < count;)
        {
            var b = labels[i];
            var at = depths[i];
            if (leaves is not null && leaves[b])
            {
                var cursor = mode!.Step(states[at], b);
                if (!cursor.IsDead)
                {
                    for (var t = first[i]; t < first[i + 1]; t++)
                    {
                        Allow(trie.Tokens[t]);
                    }

                    Walk(trie, cursor, i + 1, trie.End[i], at + 1, static (walk, value) => walk.Allow(value));
                }

                i = trie.End[i];
                continue;
            }

            var next = pool.Next(states[at], b);
            if (next == ExprPool.Empty)
            {
                i = trie.End[i];
                continue;
            }

            states[at + 1] = next;
            for (var t = first[i]; t < first[i + 1]; t++)
            {
                var id = trie.Tokens[t];
                mask[id >> 5] |= 1u << id;
            }

            i++;
        }
    }
}
