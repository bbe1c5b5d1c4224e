using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>Compares masks with what trying every token of the vocabulary gives, one in so many of them.</summary>
internal sealed class MaskCheck(Tokenizer tokenizer, int every)
{
    private int _seen, _checked, _wrong;

    /// <summary>Follows the instances of a schema; writes a line for each mask that is wrong.</summary>
    /// <param name="line">Of the benchmark's file.</param>
    public void Add(JsonElement line)
    {
        Grammar grammar;
        try
        {
            grammar = Grammar.FromJsonSchema(line.GetProperty("schema"));
        }
        catch (GrammarException)
        {
            return;
        }

        foreach (var test in line.GetProperty("tests").EnumerateArray())
        {
            var state = grammar.Start(tokenizer);
            var mask = new uint[state.MaskWords];
            var ids = tokenizer.Encode(test.GetProperty("text").GetString()!);
            for (var i = 0; i < ids.Length; i++)
            {
                state.ComputeMask(mask);
                if (_seen++ % every == 0 && Wrong(state, mask) is >= 0 and var id)
                {
                    _wrong++;
                    Console.WriteLine($"{line.GetProperty("name")}: token {id} '{JsonEncodedText.Encode(tokenizer.GetTokenText(id))}' behind '{JsonEncodedText.Encode(tokenizer.Decode(ids.AsSpan(0, i), skipSpecialTokens: false))}', in the mask: {((mask[id >> 5] >> id) & 1) != 0}");
                }

                if (!state.Advance(ids[i]))
                {
                    break;
                }
            }
        }
    }

    public override string ToString() => $"{_checked} of {_seen} masks tried token by token, {_wrong} wrong";

    private int Wrong(ConstraintState state, uint[] mask)
    {
        _checked++;
        for (var id = 0; id < tokenizer.VocabularySize; id++)
        {
            if (((mask[id >> 5] >> id) & 1) != 0 != state.Clone().Advance(id))
            {
                return id;
            }
        }

        return -1;
    }
}
