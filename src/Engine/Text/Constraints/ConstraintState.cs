using System.Text;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>One text on its way through a grammar. Depends on the tokens alone: advancing a fresh state by the same tokens gives the same. Not for concurrent use; many states of one grammar may work at the same time.</summary>
public sealed class ConstraintState
{
    private const int MaxForced = 4_096;

    private readonly Grammar _grammar;
    private readonly TokenVocabulary _vocabulary;
    private readonly List<(int Id, Cursor Next)> _tokens = [];
    private MaskWalk? _walk;
    private Cursor _cursor;

    internal ConstraintState(Grammar grammar, TokenVocabulary vocabulary)
    {
        _grammar = grammar;
        _vocabulary = vocabulary;
        _cursor = grammar.Origin;
    }

    private ConstraintState(ConstraintState other)
    {
        _grammar = other._grammar;
        _vocabulary = other._vocabulary;
        _cursor = other._cursor;
    }

    /// <summary>Words of a mask: bit <c>id % 32</c> of word <c>id / 32</c>.</summary>
    public int MaskWords => _vocabulary.Words;

    /// <summary>Whether the text may end here.</summary>
    public bool CanEnd
    {
        get
        {
            lock (_grammar.Machine.Gate)
            {
                return !_cursor.IsDead && _cursor.CanEnd;
            }
        }
    }

    /// <summary>The same place, to go on from independently.</summary>
    public ConstraintState Clone() => new(this);

    /// <summary>Writes the tokens that may come next, end-of-sequence tokens aside.</summary>
    /// <param name="mask">At least <see cref="MaskWords"/> words; the rest is cleared.</param>
    public void ComputeMask(Span<uint> mask)
    {
        lock (_grammar.Machine.Gate)
        {
            _walk ??= new MaskWalk(_vocabulary);
            var own = _walk.Mask.AsSpan();
            own.Clear();
            if (!_cursor.IsDead)
            {
                if (_grammar.ForcesTokens && ForcedTokens() is [var only, ..])
                {
                    _walk.Allow(only);
                }
                else
                {
                    _cursor.Mode!.Fill(_cursor, _walk);
                    _tokens.Clear();
                    _cursor.Mode.Tokens(_cursor, _tokens);
                    foreach (var (id, _) in _tokens)
                    {
                        if ((uint)id < (uint)_vocabulary.Size)
                        {
                            _walk.Allow(id);
                        }
                    }
                }
            }

            own.CopyTo(mask);
            mask[own.Length..].Clear();
        }
    }

    /// <summary>Takes a token; false, with nothing changed, where it is not allowed.</summary>
    public bool Advance(int token)
    {
        lock (_grammar.Machine.Gate)
        {
            if (_cursor.IsDead || (uint)token >= (uint)_vocabulary.Size)
            {
                return false;
            }

            _tokens.Clear();
            _cursor.Mode!.Tokens(_cursor, _tokens);
            List<Cursor>? byNumber = null;
            foreach (var (id, next) in _tokens)
            {
                if (id == token)
                {
                    _grammar.Machine.Add(byNumber ??= [], next);
                }
            }

            if (byNumber is not null)
            {
                _cursor = _grammar.Machine.Union(byNumber);
                return true;
            }

            var text = _vocabulary.Text(token);
            var after = text.IsEmpty ? default : Follow(_cursor, text);
            if (after.IsDead)
            {
                return false;
            }

            _cursor = after;
            return true;
        }
    }

    /// <summary>The bytes that must come next, whatever is chosen later: as long as there is one way only and the text cannot end. At most 4,096.</summary>
    public byte[] ForcedBytes()
    {
        lock (_grammar.Machine.Gate)
        {
            return Forced(out _);
        }
    }

    private byte[] Forced(out Cursor after)
    {
        List<byte>? bytes = null;
        after = _cursor;
        while ((bytes?.Count ?? 0) < MaxForced && !after.IsDead && after.Mode!.OnlyByte(after) is >= 0 and var b)
        {
            var next = after.Step((byte)b);
            if (next.IsDead)
            {
                break;
            }

            (bytes ??= []).Add((byte)b);
            after = next;
        }

        return bytes is null ? [] : [.. bytes];
    }

    /// <summary>The tokens that the model's tokenizer makes of the forced text, without those at its end that could become others with what follows.</summary>
    public int[] ForcedTokens()
    {
        lock (_grammar.Machine.Gate)
        {
            var bytes = Forced(out var after);
            if (bytes.Length == 0)
            {
                return [];
            }

            var vocabulary = _vocabulary;
            var ids = Cut(bytes);
            // However the end of it could belong to a token that goes on, no token that reaches so far is certain.
            var certain = bytes.Length;
            for (var length = 1; length <= Math.Min(bytes.Length, vocabulary.Trie.MaxDepth); length++)
            {
                if (CanBeLonger(bytes.AsSpan(bytes.Length - length), after))
                {
                    certain = bytes.Length - length;
                }
            }

            var kept = 0;
            for (var end = 0; kept < ids.Count && (end += vocabulary.Text(ids[kept]).Length) <= certain;)
            {
                kept++;
            }

            return [.. ids[..kept]];
        }
    }

    /// <summary>The tokenizer's tokens of whole characters, the longest tokens there are for the rest, and for all of it where the tokenizer's spell something else
    /// (a space in front, characters that it does not know). No control tokens: this is text.</summary>
    private List<int> Cut(ReadOnlySpan<byte> bytes)
    {
        var vocabulary = _vocabulary;
        var whole = 0;
        while (whole < bytes.Length && Rune.DecodeFromUtf8(bytes[whole..], out _, out var used) == System.Buffers.OperationStatus.Done)
        {
            whole += used;
        }

        List<int> ids = [.. vocabulary.Tokenizer.Encode([new TextSpan(Encoding.UTF8.GetString(bytes[..whole]), Provenance.Content)])];
        if (!Spell(ids, bytes[..whole]))
        {
            ids.Clear();
            whole = 0;
        }

        while (whole < bytes.Length)
        {
            var (id, length) = vocabulary.Trie.Longest(bytes[whole..]);
            if (length == 0)
            {
                break;
            }

            ids.Add(id);
            whole += length;
        }

        return ids;
    }

    private bool Spell(List<int> ids, ReadOnlySpan<byte> text)
    {
        foreach (var id in ids)
        {
            var token = _vocabulary.Text(id);
            if (token.IsEmpty || !text.StartsWith(token))
            {
                return false;
            }

            text = text[token.Length..];
        }

        return text.IsEmpty;
    }

    /// <summary>Whether a token begins with these bytes and goes on, for a byte at least, as the grammar does.</summary>
    private bool CanBeLonger(ReadOnlySpan<byte> bytes, Cursor after)
    {
        var trie = _vocabulary.Trie;
        int from = 0, to = trie.Count, node = -1;
        for (var i = 0; i < bytes.Length; i++)
        {
            node = from;
            while (node < to && trie.Label[node] != bytes[i])
            {
                node = trie.End[node];
            }

            if (node >= to)
            {
                return false;
            }

            (from, to) = (node + 1, trie.End[node]);
        }

        for (node = from; node < to; node = trie.End[node])
        {
            if (!after.Step(trie.Label[node]).IsDead)
            {
                return true;
            }
        }

        return false;
    }

    private static Cursor Follow(Cursor cursor, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            cursor = cursor.Step(b);
            if (cursor.IsDead)
            {
                break;
            }
        }

        return cursor;
    }
}
