using System.Numerics;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>Texts drawn at random under a schema's masks, one line of JSON a schema, for another program to validate (tools/constraints/check-walks.mjs).
/// A token is any of those allowed, each as likely as the next; from <see cref="Closing"/> tokens on one that closes something is preferred, and where a key is read one that the schema asks for.</summary>
internal sealed class Walks(Tokenizer tokenizer, int count, TextWriter output)
{
    private const int Closing = 500;
    private const int Most = 1000;

    private const int MaxNames = 100;

    private readonly uint[] _closers = Closers(tokenizer);
    private readonly int Quote = tokenizer.Encode("\"")[0];
    private readonly Dictionary<string, string> _last = new(StringComparer.Ordinal);
    private int _schemas, _refused, _texts, _deadEnds, _unfinished;

    /// <summary>Draws the texts of one schema.</summary>
    /// <param name="line">Of the benchmark's file.</param>
    /// <param name="number">Its place there, which seeds the draws.</param>
    public void Add(JsonElement line, int number)
    {
        var name = line.GetProperty("name").GetString()!;
        List<string> texts = [];
        var (deadEnds, unfinished) = (0, 0);
        try
        {
            var grammar = Grammar.FromJsonSchema(line.GetProperty("schema"), new JsonSchemaOptions { FreeWhiteSpace = false });
            HashSet<string> required = new(StringComparer.Ordinal);
            Required(line.GetProperty("schema"), required);
            List<int[]> names = [.. required.Select(n => tokenizer.Encode("\"" + JsonEncodedText.Encode(n, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping) + "\":"))];
            for (var i = 0; i < count; i++)
            {
                try
                {
                    if (Walk(grammar, names, i, new Random((number * 1000) + i)) is { } text)
                    {
                        texts.Add(text);
                    }
                    else
                    {
                        unfinished++;
                    }
                }
                catch (GrammarException e) when (e.Reason == GrammarError.DeadEnd)
                {
                    deadEnds++;
                    _last.TryAdd(name, e.Message);
                }
            }
        }
        catch (GrammarException)
        {
            _refused++;
            return;
        }

        _schemas++;
        _texts += texts.Count;
        _deadEnds += deadEnds;
        _unfinished += unfinished;
        output.WriteLine($"{{\"name\":{JsonSerializer.Serialize(name)},\"deadEnds\":{deadEnds},\"unfinished\":{unfinished},\"schema\":{line.GetProperty("schema").GetRawText()},\"texts\":{JsonSerializer.Serialize(texts)}}}");
    }

    public override string ToString() => $"{_schemas} schemas ({_refused} refused), {count} walks each: {_texts} finished texts, {_deadEnds} dead ends, {_unfinished} not finished within {Most} tokens\n" + string.Concat(_last.Select(l => $"{l.Key}: {JsonEncodedText.Encode(l.Value)}\n"));

    /// <summary>The text, or null where it does not end.</summary>
    private string? Walk(Grammar grammar, List<int[]> names, int i, Random random)
    {
        var state = grammar.Start(tokenizer);
        var mask = new uint[state.MaskWords];
        List<int> ids = [];
        while (ids.Count < Most)
        {
            state.ComputeMask(mask);
            if (state.CanEnd && (ids.Count >= Closing || random.Next(2) == 0))
            {
                return tokenizer.Decode([.. ids], skipSpecialTokens: false);
            }

            var token = ids.Count >= Closing && Draw(mask, _closers, random) is >= 0 and var closer ? closer : Draw(mask, null, random);
            if (ids.Count >= Closing && ((mask[Quote >> 5] >> Quote) & 1) != 0 && TryName(ref state, names, ids))
            {
                continue;
            }

            if (token < 0)
            {
                return state.CanEnd ? tokenizer.Decode([.. ids], skipSpecialTokens: false) : throw new GrammarException(GrammarError.DeadEnd, "walk " + i + ": " + tokenizer.Decode([.. ids.TakeLast(40)], skipSpecialTokens: false));
            }

            if (!state.Advance(token))
            {
                throw new InvalidOperationException($"Token {token} is in the mask and not taken.");
            }

            ids.Add(token);
        }

        return null;
    }

    /// <summary>Reads a key that the schema asks for, where one may come.</summary>
    private static bool TryName(ref ConstraintState state, List<int[]> names, List<int> ids)
    {
        foreach (var name in names)
        {
            var at = state.Clone();
            if (Array.TrueForAll(name, id => at.Advance(id)))
            {
                state = at;
                ids.AddRange(name);
                return true;
            }
        }

        return false;
    }

    private static void Required(JsonElement schema, HashSet<string> names)
    {
        if (schema.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in schema.EnumerateArray())
            {
                Required(item, names);
            }
        }
        else if (schema.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in schema.EnumerateObject())
            {
                if (member.NameEquals("required") && member.Value.ValueKind == JsonValueKind.Array)
                {
                    names.UnionWith(member.Value.EnumerateArray().Where(n => n.ValueKind == JsonValueKind.String).Select(n => n.GetString()!).Take(MaxNames - Math.Min(MaxNames, names.Count)));
                }

                Required(member.Value, names);
            }
        }
    }

    /// <summary>One of the bits that are set in both, or -1.</summary>
    private static int Draw(uint[] mask, uint[]? among, Random random)
    {
        var total = 0;
        for (var i = 0; i < mask.Length; i++)
        {
            total += BitOperations.PopCount(mask[i] & (among?[i] ?? uint.MaxValue));
        }

        if (total == 0)
        {
            return -1;
        }

        var left = random.Next(total);
        for (var i = 0; ; i++)
        {
            var word = mask[i] & (among?[i] ?? uint.MaxValue);
            var here = BitOperations.PopCount(word);
            if (left < here)
            {
                for (; left > 0; left--)
                {
                    word &= word - 1;
                }

                return (i * 32) + BitOperations.TrailingZeroCount(word);
            }

            left -= here;
        }
    }

    /// <summary>Tokens of nothing but ends of strings, arrays and objects.</summary>
    private static uint[] Closers(Tokenizer tokenizer)
    {
        var closers = new uint[(tokenizer.VocabularySize + 31) / 32];
        for (var id = 0; id < tokenizer.VocabularySize; id++)
        {
            var text = tokenizer.GetTokenText(id);
            if (text.Length > 0 && !text.AsSpan().ContainsAnyExcept("\"]}"u8))
            {
                closers[id >> 5] |= 1u << id;
            }
        }

        return closers;
    }
}
