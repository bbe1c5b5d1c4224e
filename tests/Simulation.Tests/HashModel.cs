using System.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Simulation;

/// <summary>
/// A language model that is nothing but its memory: a KV cache, and a state in a slot. The record of a token hashes the token, its position and the record before it, as read from the pages (deeper
/// layers of a real model depend on all earlier keys and values in the same way). The state is a hash of all tokens so far, as a recurrent layer would keep it: it starts from zero
/// where a sequence does, whatever lies in the slot. The next token is a hash of all records, again as read from the pages, and of the state.
/// A model with a window has a second group of layers: there the record of a token hashes it and the records in its window, read from pages of their own, and so does the next token.
/// Without slots there is no state: what pages say is all, and pages may be shared.
/// A wrong page table, a page freed too early, a chunk that starts at the wrong place, a slot that two share or another request's data changes tokens from that step on.
/// </summary>
internal sealed class HashModel(int pages, int pageSize, int slots, int vocabulary, int window = 0, int windowPages = 0)
{
    private const ulong Poison = 0xCDCDCDCDCDCDCDCD;

    private readonly ulong[] _slots = new ulong[pages * pageSize];
    private readonly ulong[] _windowed = new ulong[windowPages * pageSize];
    private readonly ulong[] _states = new ulong[slots];

    /// <summary>Computes tokens: writes their records into the pages that the block table names.</summary>
    public void Store(Sequence sequence, int start, int count)
    {
        var tokens = sequence.Tokens;
        var table = sequence.Pages;
        var record = start == 0 ? 0 : _slots[(table[(start - 1) / pageSize] * pageSize) + ((start - 1) % pageSize)];
        var state = start == 0 || slots == 0 ? 0 : _states[sequence.Slot];
        for (var t = start; t < start + count; t++)
        {
            state = State(state, tokens[t]);
            record = Record(record, tokens[t], t);
            _slots[(table[t / pageSize] * pageSize) + (t % pageSize)] = record;
            if (window > 0)
            {
                Windowed(sequence, t) = Record(Seen(sequence, t), tokens[t], t);
            }
        }

        if (slots > 0)
        {
            _states[sequence.Slot] = state;
        }
    }

    /// <summary>The token after the first <paramref name="count"/>, and the hash that decides it.</summary>
    public (int Token, ulong Hash) Next(Sequence sequence, int count)
    {
        var table = sequence.Pages;
        var hash = 0UL;
        for (var (page, rest) = (0, count); rest > 0; page++, rest -= pageSize)
        {
            foreach (var record in _slots.AsSpan(table[page] * pageSize, Math.Min(pageSize, rest)))
            {
                hash = Fold(hash, record);
            }
        }

        hash = Fold(window > 0 ? Fold(hash, Seen(sequence, count)) : hash, slots > 0 ? _states[sequence.Slot] : 0);
        return (Token(hash, vocabulary), hash);
    }

    /// <summary>Nobody may read a free page: what lies in it changes with every step.</summary>
    public void PoisonPages(ReadOnlySpan<int> free, ReadOnlySpan<int> freeWindowed = default)
    {
        foreach (var page in free)
        {
            _slots.AsSpan(page * pageSize, pageSize).Fill(Poison);
        }

        foreach (var page in freeWindowed)
        {
            _windowed.AsSpan(page * pageSize, pageSize).Fill(Poison);
        }
    }

    /// <summary>What the token at a position sees of the windowed group, itself left out: as many tokens before it as the window has room for.</summary>
    private ulong Seen(Sequence sequence, int position)
    {
        var hash = 0UL;
        for (var t = Math.Max(0, position - window + 1); t < position; t++)
        {
            hash = Fold(hash, Windowed(sequence, t));
        }

        return hash;
    }

    private ref ulong Windowed(Sequence sequence, int t)
    {
        var table = sequence.Table(1);
        return ref _windowed[(table.Pages[(t / pageSize) - table.First] * pageSize) + (t % pageSize)];
    }

    private static ulong Record(ulong before, int token, int position) => Rng.Mix(before + ((ulong)token * 0xD6E8FEB86659FD93) + (ulong)position);

    private static ulong State(ulong before, int token) => Rng.Mix((before * 0xC2B2AE3D27D4EB4F) + (ulong)token + 1);

    private static ulong Fold(ulong hash, ulong record) => (BitOperations.RotateLeft(hash, 7) * 0x9E3779B97F4A7C15) + record;

    private static int Token(ulong hash, int vocabulary) => (int)(Rng.Mix(hash) % (ulong)vocabulary);

    /// <summary>What the model says, computed from the tokens alone: no pages, no slots, no engine.</summary>
    internal sealed class Oracle(int vocabulary, int window = 0, bool hasStates = true)
    {
        private readonly List<ulong> _windowed = [];
        private ulong _record;
        private ulong _records;
        private ulong _state;
        private int _count;

        public ulong Hash { get; private set; }

        public int Next => Token(Hash, vocabulary);

        private ulong Seen(int position)
        {
            var hash = 0UL;
            for (var t = Math.Max(0, position - window + 1); t < position; t++)
            {
                hash = Fold(hash, _windowed[t]);
            }

            return hash;
        }

        public void Append(int token)
        {
            _record = Record(_record, token, _count++);
            _records = Fold(_records, _record);
            _state = hasStates ? State(_state, token) : 0;
            if (window > 0)
            {
                _windowed.Add(Record(Seen(_count - 1), token, _count - 1));
            }

            Hash = Fold(window > 0 ? Fold(_records, Seen(_count)) : _records, _state);
        }
    }
}
