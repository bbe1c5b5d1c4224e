using KvPrefetch.Engine.Text.Constraints.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Walks tries of tokens under a grammar and notes which tokens are allowed. One a constraint state: it owns its stacks.</summary>
internal sealed class MaskWalk(TokenVocabulary vocabulary)
{
    private Cursor[] _stack = new Cursor[(2 * vocabulary.Trie.MaxDepth) + 16];
    private int[] _states = new int[vocabulary.Trie.MaxDepth + 2];
    private List<WalkExit>? _exits;

    public TokenVocabulary Vocabulary { get; } = vocabulary;

    /// <summary>The mask being filled: one bit a token id.</summary>
    public uint[] Mask { get; private set; } = new uint[vocabulary.Words];

    private uint[]? _spare;

    public void Allow(int id) => Mask[id >> 5] |= 1u << id;

    public void Forbid(int id) => Mask[id >> 5] &= ~(1u << id);

    /// <summary>Allows every token of a trie whose bytes the grammar takes.</summary>
    public void Walk(TokenTrie trie, Cursor start) => Walk(trie, start, 0, trie.Count, 0, 0);

    /// <summary>Allows the tokens of the subtree below a node, and those of the node itself.</summary>
    public void WalkBelow(TokenTrie trie, int node, Cursor at)
    {
        AllowAt(trie, node);
        Walk(trie, at, node + 1, trie.End[node], trie.Depth[node] + 1, 0);
    }

    /// <summary>Fills with what a mode allows inside; where that leads out, another cursor at the same place decides token by token.</summary>
    public void FillInside(JsonMode inner, in Cursor at, in Cursor whole)
    {
        var known = Recall(inner, at);
        known.AddTo(Mask);
        HashSet<int> seen = [];
        foreach (var exit in known.Exits)
        {
            var trie = exit.Trie;
            for (var t = trie.First[exit.Node]; t < trie.First[trie.End[exit.Node]]; t++)
            {
                var id = trie.Tokens[t];
                if (!seen.Add(id))
                {
                    continue;
                }

                var cursor = whole;
                foreach (var b in Vocabulary.Text(id))
                {
                    cursor = cursor.Step(b);
                    if (cursor.IsDead)
                    {
                        break;
                    }
                }

                if (!cursor.IsDead)
                {
                    Allow(id);
                }
            }
        }
    }

    /// <summary>Fills with what is allowed inside; where that leads out of all that is read inside, another cursor at the same place decides token by token.</summary>
    /// <param name="inner">What is read inside.</param>
    /// <param name="whole">The other cursor.</param>
    /// <param name="ended">Where the other one goes on if the inside is complete before the next byte.</param>
    public void FillUpToExits(in Cursor inner, in Cursor whole, Func<Bits, Cursor> ended)
    {
        var before = _exits;
        _exits = [];
        inner.Mode!.Fill(inner, this);
        var exits = _exits;
        _exits = before;
        foreach (var exit in exits)
        {
            var (trie, node) = (exit.Trie, exit.Node);
            if (!exit.Before || trie.Depth[node] > 0)
            {
                Retry(trie, whole, node);
            }
            else if (ended(exit.Failed) is { IsDead: false } next)
            {
                Walk(trie, next, node, trie.End[node], 0, 0);
            }
        }
    }

    /// <summary>Decides anew about the tokens of a trie, or of a node and its subtree, each by its own bytes.</summary>
    public void Retry(TokenTrie trie, in Cursor whole, int node = -1)
        => Retry(node < 0 ? trie.Tokens : trie.Tokens.AsSpan(trie.First[node]..trie.First[trie.End[node]]), whole);

    /// <summary>Decides anew about tokens, each by its own bytes.</summary>
    public void Retry(ReadOnlySpan<int> tokens, in Cursor whole)
    {
        foreach (var id in tokens)
        {
            var cursor = whole;
            foreach (var b in Vocabulary.Text(id))
            {
                cursor = cursor.Step(b);
                if (cursor.IsDead)
                {
                    break;
                }
            }

            if (cursor.IsDead)
            {
                Forbid(id);
            }
            else
            {
                Allow(id);
            }
        }
    }

    /// <summary>As <see cref="WalkBelow"/>, for the tokens that a condition holds of.</summary>
    public void WalkSome(TokenTrie trie, int node, Cursor at, Func<int, bool> condition)
    {
        var outer = Mask;
        Mask = _spare ?? new uint[outer.Length];
        _spare = null;
        Mask.AsSpan().Clear();
        WalkBelow(trie, node, at);
        for (var t = trie.First[node]; t < trie.First[trie.End[node]]; t++)
        {
            var id = trie.Tokens[t];
            if (((Mask[id >> 5] >> id) & 1) != 0 && condition(id))
            {
                outer[id >> 5] |= 1u << id;
            }
        }

        _spare = Mask;
        Mask = outer;
    }

    /// <summary>Fills from what is remembered of this mode and value, or walks and remembers it. What leads out of the value being read is not remembered: it goes on where the stack says.</summary>
    public void FillRemembered(JsonMode mode, in Cursor at)
    {
        var known = Recall(mode, at);
        known.AddTo(Mask);
        foreach (var exit in known.Exits)
        {
            var next = at.Stack!.Return(exit.Failed);
            if (next.IsDead)
            {
                continue;
            }

            if (next.Mode is ExitMode outer && _exits is not null)
            {
                _exits.Add(new WalkExit(exit.Trie, exit.Node, exit.Before, outer.Failed(next)));
                continue;
            }

            if (exit.Before)
            {
                Walk(exit.Trie, next, exit.Node, exit.Trie.End[exit.Node], exit.Trie.Depth[exit.Node], 0);
            }
            else
            {
                WalkBelow(exit.Trie, exit.Node, next);
            }
        }
    }

    private RememberedMask Recall(JsonMode mode, in Cursor at)
    {
        var program = mode.Program;
        if (!program.TryRecall(Vocabulary, mode, at.Value, out var known))
        {
            var mask = Mask;
            var outer = _exits;
            Mask = _spare ?? new uint[mask.Length];
            _spare = null;
            Mask.AsSpan().Clear();
            _exits = [];
            mode.Walk(at with { Stack = program.Exit }, this);
            known = new RememberedMask(Mask, [.. _exits]);
            _spare = Mask;
            Mask = mask;
            _exits = outer;
            program.Remember(Vocabulary, mode, at.Value, known);
        }

        return known;
    }

    /// <summary>Allows the tokens of a part of a trie whose bytes, from a depth on, the grammar takes.</summary>
    private void Walk(TokenTrie trie, Cursor start, int from, int to, int depth, int offset)
    {
        if (_stack.Length < offset + trie.MaxDepth + 2)
        {
            Array.Resize(ref _stack, 2 * (offset + trie.MaxDepth + 2));
        }

        _stack[offset + depth] = start;
        var labels = trie.Label;
        var depths = trie.Depth;
        for (var i = from; i < to;)
        {
            var at = offset + depths[i];
            var b = labels[i];
            var next = _stack[at].Step(b);
            if (next.IsDead)
            {
                i = trie.End[i];
                continue;
            }

            if (next.Mode is ExitMode exit && _exits is not null)
            {
                _exits.Add(new WalkExit(trie, i, ExitMode.IsBefore(next), exit.Failed(next)));
                i = trie.End[i];
                continue;
            }

            if (b == '"' && trie.Openings is { } openings && openings.TryGetValue(i, out var opening) && next.Mode is TextMode text && text.IsFree(next.Value))
            {
                // Everything that stays inside the string is allowed without looking at it.
                AllowAt(trie, i);
                foreach (var id in opening.Inside)
                {
                    Allow(id);
                }

                Walk(opening.Closing, next, 0, opening.Closing.Count, 0, at + 1);
                i = trie.End[i];
                continue;
            }

            _stack[at + 1] = next;
            AllowAt(trie, i);
            i++;
        }
    }

    /// <summary>Allows every token whose bytes an automaton takes.</summary>
    public void WalkAutomaton(ExprPool pool, int state)
    {
        var trie = Vocabulary.Trie;
        var states = _states;
        states[0] = state;
        var labels = trie.Label;
        var depths = trie.Depth;
        var count = labels.Length;
        for (var i = 0; i < count;)
        {
            var at = depths[i];
            var next = pool.Next(states[at], labels[i]);
            if (next == ExprPool.Empty)
            {
                i = trie.End[i];
                continue;
            }

            states[at + 1] = next;
            AllowAt(trie, i);
            i++;
        }
    }

    /// <summary>Allows every token that a text's mode takes. Bytes that are not the text's own go through the mode's step.</summary>
    public void WalkText(TextMode mode, in Cursor start, TokenTrie trie) => TryWalkText(mode, start, trie, int.MaxValue);

    /// <summary>As <see cref="WalkText"/>, unless it comes to more nodes: then what it allowed is right, and not all.</summary>
    public bool TryWalkText(TextMode mode, in Cursor start, TokenTrie trie, int maxNodes)
    {
        var states = _states;
        states[0] = start.Value;
        var labels = trie.Label;
        var depths = trie.Depth;
        var count = labels.Length;
        var own = mode.OwnBytes;
        var pool = mode.SimplePool;
        var nodes = 0;
        for (var i = 0; i < count;)
        {
            if (++nodes > maxNodes)
            {
                return false;
            }

            var b = labels[i];
            var at = depths[i];
            if (!own[b])
            {
                Walk(trie, start with { Value = states[at] }, i, trie.End[i], at, 0);
                i = trie.End[i];
                continue;
            }

            int next;
            if (pool is not null)
            {
                next = pool.Next(states[at], b);
                if (next == ExprPool.Empty)
                {
                    i = trie.End[i];
                    continue;
                }
            }
            else
            {
                next = mode.NextText(states[at], b);
                if (next < 0)
                {
                    i = trie.End[i];
                    continue;
                }
            }

            states[at + 1] = next;
            AllowAt(trie, i);
            i++;
        }

        return true;
    }

    /// <summary>Allows every token of a trie over classes that a text's mode takes and that can be completed with at most so many characters, those of the token among them; false where that is not found out.</summary>
    /// <param name="mode">The mode.</param>
    /// <param name="state">One of its wide states.</param>
    /// <param name="trie">The tokens.</param>
    /// <param name="maxCharacters">The bound; where there is one, states are expressions.</param>
    /// <param name="isUniform">Whether a state tells no bytes of a class apart; from other states on, tokens are looked at one by one.</param>
    public bool TryWalkClasses(TextMode mode, int state, ClassTrie trie, int maxCharacters, Func<int, bool> isUniform)
    {
        var states = _states;
        states[0] = state;
        if (!isUniform(state))
        {
            return false;
        }

        var pool = maxCharacters == ExprPool.Infinite ? null : mode.Program.Pool;
        for (var i = 0; i < trie.Count;)
        {
            var at = trie.Depth[i];
            var next = mode.NextWide(states[at], trie.Label[i]);
            if (next < 0)
            {
                i = trie.End[i];
                continue;
            }

            if (pool is not null)
            {
                var rest = pool.Shortest(next);
                if (rest < 0)
                {
                    return false;
                }

                if (rest > maxCharacters - trie.Characters[i])
                {
                    // What goes on from here is not shorter.
                    i = trie.End[i];
                    continue;
                }
            }

            states[at + 1] = next;
            trie.AllowAt(i, Mask);
            i++;
            if (i < trie.End[i - 1] && next != states[at] && !isUniform(next))
            {
                if (!TryFollow(mode, next, trie, i - 1, maxCharacters))
                {
                    return false;
                }

                i = trie.End[i - 1];
            }
        }

        return true;
    }

    /// <summary>Decides about the tokens below a node, each by its own bytes.</summary>
    private bool TryFollow(TextMode mode, int state, ClassTrie trie, int node, int maxCharacters)
    {
        foreach (var id in trie.TokensBelow(node))
        {
            var next = state;
            var characters = (int)trie.Characters[node];
            foreach (var b in Vocabulary.Text(id)[(trie.Depth[node] + 1)..])
            {
                characters += b is >= 0x80 and <= 0xBF ? 0 : 1;
                next = mode.NextWide(next, b);
                if (next < 0)
                {
                    break;
                }
            }

            if (next < 0)
            {
                continue;
            }

            if (maxCharacters != ExprPool.Infinite)
            {
                var rest = mode.Program.Pool.Shortest(next);
                if (rest < 0)
                {
                    return false;
                }

                if (rest > maxCharacters - characters)
                {
                    continue;
                }
            }

            Allow(id);
        }

        return true;
    }

    /// <summary>Allows the tokens that these bytes begin with.</summary>
    public void AllowAlong(TokenTrie trie, ReadOnlySpan<byte> bytes)
    {
        int from = 0, to = trie.Count;
        foreach (var b in bytes)
        {
            var node = from;
            while (node < to && trie.Label[node] < b)
            {
                node = trie.End[node];
            }

            if (node >= to || trie.Label[node] != b)
            {
                return;
            }

            AllowAt(trie, node);
            (from, to) = (node + 1, trie.End[node]);
        }
    }

    public void AllowAt(TokenTrie trie, int node)
    {
        var first = trie.First;
        for (var t = first[node]; t < first[node + 1]; t++)
        {
            Allow(trie.Tokens[t]);
        }
    }
}

/// <summary>A node of a trie where a walk led out of what was being read.</summary>
/// <param name="Trie">The trie.</param>
/// <param name="Node">The node.</param>
/// <param name="Before">The node's label is not read yet.</param>
/// <param name="Failed">Goals that turned out false.</param>
internal readonly record struct WalkExit(TokenTrie Trie, int Node, bool Before, Bits Failed);

/// <summary>A mask as it is remembered: ids, or where they are many all bits; and where walks led out.</summary>
internal sealed class RememberedMask
{
    private const int MaxSparse = 1_024;
    private readonly uint[]? _dense;
    private readonly int[]? _sparse;

    public RememberedMask(uint[] mask, WalkExit[] exits)
    {
        Exits = exits;
        var count = mask.Sum(static word => System.Numerics.BitOperations.PopCount(word));
        if (count > MaxSparse)
        {
            _dense = (uint[])mask.Clone();
            return;
        }

        _sparse = new int[count];
        var at = 0;
        for (var i = 0; i < mask.Length; i++)
        {
            for (var word = mask[i]; word != 0; word &= word - 1)
            {
                _sparse[at++] = (i << 5) | System.Numerics.BitOperations.TrailingZeroCount(word);
            }
        }
    }

    public WalkExit[] Exits { get; }

    public long Bytes => 64 + ((_dense?.Length ?? 0) * 4L) + ((_sparse?.Length ?? 0) * 4L) + (Exits.Length * 32L);

    public void AddTo(uint[] mask)
    {
        if (_dense is not null)
        {
            MaskWords.Or(mask, _dense);
            return;
        }

        foreach (var id in _sparse!)
        {
            mask[id >> 5] |= 1u << id;
        }
    }
}
