using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>SentencePiece's unigram model: the division of a piece with the best sum of scores (Viterbi); unknown characters side by side are one token.</summary>
internal sealed class UnigramModel : TokenModel
{
    private const double UnknownPenalty = 10.0;

    private readonly double[] _scores;
    private readonly ByteTrie _trie;
    private readonly double _unknownScore;
    private readonly int _unknown;
    private readonly int[]? _fallbackOfByte;

    /// <param name="vocabulary">Tokens in order of id.</param>
    /// <param name="scores">One a token.</param>
    /// <param name="unknown">Id of the unknown token, or -1.</param>
    /// <param name="byteFallback">Unknown characters become byte tokens where all of theirs exist.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknown, bool byteFallback)
        : base(vocabulary)
    {
        _scores = scores;
        _trie = new ByteTrie(vocabulary);
        _unknown = unknown;
        _unknownScore = (scores.Length > 0 ? scores.Min() : double.PositiveInfinity) - UnknownPenalty;
        if (byteFallback)
        {
            _fallbackOfByte = new int[256];
            for (var b = 0; b < 256; b++)
            {
                _fallbackOfByte[b] = vocabulary.Find(Encoding.UTF8.GetBytes($"<0x{b:X2}>"));
            }
        }
    }

    protected override void EncodeUncached(ReadOnlySpan<char> word, EncodeState state)
    {
        ReadOnlySpan<byte> text = state.Utf8Of(word);
        var nodes = state.Lattice.Of(text.Length + 1);
        for (var start = 0; start < text.Length;)
        {
            var score = nodes[start].Score;
            var characterLength = LengthOf(text[start]);
            var hasSingle = false;
            var node = 0;
            for (var at = start; at < text.Length; at++)
            {
                node = _trie.Next(node, text[at]);
                if (node < 0)
                {
                    break;
                }

                var id = _trie.IdAt(node);
                if (id >= 0)
                {
                    Offer(ref nodes[at + 1], start, id, score + _scores[id]);
                    hasSingle |= at + 1 - start == characterLength;
                }
            }

            if (!hasSingle)
            {
                Offer(ref nodes[start + characterLength], start, _unknown, score + _unknownScore, checkUnknown: true);
            }

            start += characterLength;
        }

        Collect(text, nodes, state);
    }

    private void Offer(ref LatticeNode node, int start, int id, double score, bool checkUnknown = false)
    {
        if (node.Start < 0 || score > node.Score)
        {
            if (checkUnknown && id < 0)
            {
                throw MissingUnknownToken(name: null);
            }

            node = new LatticeNode { Start = start, Id = id, Score = score };
        }
    }

    private void Collect(ReadOnlySpan<byte> text, Span<LatticeNode> nodes, EncodeState state)
    {
        // Backwards along the best path, turning each link round; then forwards.
        var next = text.Length;
        for (var end = text.Length; end > 0;)
        {
            var start = nodes[end].Start;
            nodes[end].Next = next;
            next = end;
            end = start;
        }

        var at = 0;
        for (var end = next; at < text.Length;)
        {
            if (nodes[end].Id != _unknown || _unknown < 0)
            {
                state.Ids.Add(nodes[end].Id);
            }
            else
            {
                while (end < text.Length && nodes[nodes[end].Next].Id == _unknown)
                {
                    end = nodes[end].Next;
                }

                Unknown(text[at..end], state);
            }

            at = end;
            end = at < text.Length ? nodes[end].Next : end;
        }
    }

    private void Unknown(ReadOnlySpan<byte> text, EncodeState state)
    {
        var id = Vocabulary.FindOrdinary(text);
        if (id < 0 && _fallbackOfByte is not null && AllBytesKnown(text, _fallbackOfByte))
        {
            foreach (var b in text)
            {
                state.Ids.Add(_fallbackOfByte[b]);
            }

            return;
        }

        state.Ids.Add(id >= 0 ? id : _unknown);
    }

    private static bool AllBytesKnown(ReadOnlySpan<byte> text, int[] fallback)
    {
        foreach (var b in text)
        {
            if (fallback[b] < 0)
            {
                return false;
            }
        }

        return true;
    }

    private static int LengthOf(byte lead) => lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/// <summary>Best way to reach a position.</summary>
internal struct LatticeNode
{
    public double Score;
    public int Start;
    public int Id;
    public int Next;
}

/// <summary>Positions of a unigram encoding; scratch of one thread.</summary>
internal sealed class Lattice
{
    private LatticeNode[] _nodes = [];

    public Span<LatticeNode> Of(int length)
    {
        if (_nodes.Length < length)
        {
            _nodes = new LatticeNode[Math.Max(length, _nodes.Length * 2)];
        }

        var nodes = _nodes.AsSpan(0, length);
        nodes.Fill(new LatticeNode { Start = -1 });
        return nodes;
    }
}
