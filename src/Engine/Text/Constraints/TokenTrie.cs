using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>The tokens of a vocabulary as a trie over their bytes, laid out in preorder: the subtree of node n is n to <see cref="End"/>[n]. Immutable; made once a tokenizer.</summary>
internal sealed class TokenTrie
{
    private static readonly ConditionalWeakTable<Tokenizer, TokenVocabulary> s_known = [];

    /// <summary>Byte that leads to a node.</summary>
    public readonly byte[] Label;
    /// <summary>Index behind a node's subtree.</summary>
    public readonly int[] End;
    /// <summary>Bytes before the label: 0 for the first of a token.</summary>
    public readonly ushort[] Depth;
    /// <summary>First of a node's entries in <see cref="Tokens"/>; the next node's first is behind its last.</summary>
    public readonly int[] First;
    /// <summary>What ends at nodes, node by node.</summary>
    public readonly int[] Tokens;

    /// <param name="entries">Texts, ascending, with their values; equal texts share a node. Empty texts are left out.</param>
    public TokenTrie(IReadOnlyList<(byte[] Text, int Value)> entries)
    {
        List<byte> label = [];
        List<int> end = [];
        List<ushort> depth = [];
        List<int> first = [];
        List<int> tokens = [];
        List<int> open = [];
        byte[] last = [];
        foreach (var (text, value) in entries)
        {
            if (text.Length == 0)
            {
                continue;
            }

            var common = text.AsSpan().CommonPrefixLength(last);
            while (open.Count > common)
            {
                end[open[^1]] = label.Count;
                open.RemoveAt(open.Count - 1);
            }

            for (var i = common; i < text.Length; i++)
            {
                open.Add(label.Count);
                label.Add(text[i]);
                end.Add(0);
                depth.Add((ushort)i);
                first.Add(tokens.Count);
            }

            tokens.Add(value);
            MaxDepth = Math.Max(MaxDepth, text.Length);
            last = text;
        }

        foreach (var node in open)
        {
            end[node] = label.Count;
        }

        first.Add(tokens.Count);
        (Label, End, Depth, First, Tokens) = ([.. label], [.. end], [.. depth], [.. first], [.. tokens]);
    }

    public int Count => Label.Length;

    /// <summary>At nodes where a quote leads to many tokens: those that stay inside a string that begins there, and the trie, from there on, of those that close it.</summary>
    public Dictionary<int, StringOpening>? Openings { get; private set; }

    /// <summary>Looks for <see cref="Openings"/>.</summary>
    public TokenTrie WithOpenings()
    {
        const int minTokens = 24;
        var prefix = new byte[MaxDepth];
        Openings = [];
        for (var i = 0; i < Count; i++)
        {
            if (Label[i] != '"' || First[End[i]] - First[i + 1] < minTokens)
            {
                continue;
            }

            List<int> inside = [];
            List<(byte[], int)> closing = [];
            for (var node = i + 1; node < End[i]; node++)
            {
                var depth = Depth[node] - Depth[i] - 1;
                prefix[depth] = Label[node];
                for (var t = First[node]; t < First[node + 1]; t++)
                {
                    if (!StringTokens.Scan(prefix.AsSpan(0, depth + 1), out _, out var end, out _))
                    {
                        continue;
                    }

                    if (end < 0)
                    {
                        inside.Add(Tokens[t]);
                    }
                    else
                    {
                        closing.Add((prefix[..(depth + 1)], Tokens[t]));
                    }
                }
            }

            Openings.Add(i, new StringOpening([.. inside], new TokenTrie(closing)));
        }

        return this;
    }

    /// <summary>Length of the longest text.</summary>
    public int MaxDepth { get; }

    /// <summary>The node that bytes and one more lead to; -1 for none.</summary>
    public int Find(ReadOnlySpan<byte> bytes, byte last)
    {
        int from = 0, to = Count;
        for (var i = 0; i <= bytes.Length; i++)
        {
            var b = i < bytes.Length ? bytes[i] : last;
            var node = from;
            while (node < to && Label[node] < b)
            {
                node = End[node];
            }

            if (node >= to || Label[node] != b)
            {
                return -1;
            }

            if (i == bytes.Length)
            {
                return node;
            }

            (from, to) = (node + 1, End[node]);
        }

        return -1;
    }

    /// <summary>The longest text that the bytes begin with: a value and its length; length 0 for none.</summary>
    public (int Value, int Length) Longest(ReadOnlySpan<byte> bytes)
    {
        var (value, length) = (0, 0);
        int from = 0, to = Count;
        for (var i = 0; i < bytes.Length; i++)
        {
            var node = from;
            while (node < to && Label[node] != bytes[i])
            {
                node = End[node];
            }

            if (node >= to)
            {
                break;
            }

            if (First[node] < First[node + 1])
            {
                (value, length) = (Tokens[First[node]], i + 1);
            }

            (from, to) = (node + 1, End[node]);
        }

        return (value, length);
    }

    /// <summary>The vocabulary of a tokenizer, made at the first call.</summary>
    public static TokenVocabulary Of(Tokenizer tokenizer) => s_known.GetValue(tokenizer, static t => new TokenVocabulary(t));
}

/// <summary>Tokens by what they are behind an opening quote.</summary>
internal sealed record StringOpening(int[] Inside, TokenTrie Closing);
