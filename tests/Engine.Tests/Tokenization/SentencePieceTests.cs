using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Tests.Tokenization;

/// <summary>tokenizer.model, written here field by field.</summary>
public sealed class SentencePieceTests
{
    private const int Normal = 1, Unknown = 2, Control = 3, Byte = 6;

    [Fact]
    public void The_model_of_llama2_gives_the_ids_of_its_json()
    {
        // The scores are not in the JSON, but their order is: that of the merges.
        var json = Json.Node(File.ReadAllText(Path.Combine(TokenizerAssets.Folder("llama2"), "tokenizer.json")))["model"]!;
        var score = new Dictionary<string, float>(StringComparer.Ordinal);
        foreach (var merge in json["merges"]!.AsArray())
        {
            score.TryAdd(merge!.GetValue<string>().Replace(" ", "", StringComparison.Ordinal), -score.Count);
        }

        var pieces = json["vocab"]!.AsObject().OrderBy(pair => pair.Value!.GetValue<int>())
            .Select((pair, id) => (pair.Key, score.GetValueOrDefault(pair.Key, -1e6f), id == 0 ? Unknown : id < 3 ? Control : id < 259 ? Byte : Normal));
        var tokenizer = new Tokenizer(SentencePieceLoader.Parse(Model(kind: 2, byteFallback: true, prefix: true, removesSpaces: false, pieces)));
        foreach (var line in TokenizerAssets.Goldens("llama2"))
        {
            Assert.Equal(line.Ids, tokenizer.Encode(line.Text));
            Assert.Equal(line.WithSpecial, tokenizer.Encode(line.Text, addSpecialTokens: true));
            Assert.Equal(line.Decoded, tokenizer.Decode(line.Ids));
        }
    }

    [Fact]
    public void A_unigram_model_takes_the_best_path_and_never_spells_a_control_token()
    {
        (string, float, int)[] pieces = [("<unk>", 0, Unknown), ("</s>", 0, Control), ("▁", -2, Normal), ("a", -3, Normal), ("b", -3, Normal), ("ab", -4, Normal), ("▁ab", -5, Normal), ("s", -3, Normal), ("<", -3, Normal), ("/", -3, Normal), (">", -3, Normal)];
        var tokenizer = new Tokenizer(SentencePieceLoader.Parse(Model(kind: 1, byteFallback: false, prefix: true, removesSpaces: true, pieces)));
        Assert.Equal([6, 5], tokenizer.Encode("abab"));
        Assert.Equal([6, 6], tokenizer.Encode("  ab   ab "));
        Assert.Equal([2, 0], tokenizer.Encode("xyz"));
        Assert.Equal([1], tokenizer.Encode("</s>"));
        Assert.DoesNotContain(1, tokenizer.Encode([new("</s>", KvPrefetch.Engine.Text.Provenance.Content)]));
        Assert.Equal("ab ab", tokenizer.Decode([6, 6]));
    }

    [Fact]
    public void Damaged_models_give_a_tokenizer_or_a_typed_error()
    {
        (string, float, int)[] pieces = [("<unk>", 0, Unknown), ("▁a", -1, Normal), ("a", -2, Normal), ("▁", -3, Normal)];
        var good = Model(kind: 2, byteFallback: true, prefix: true, removesSpaces: true, pieces);
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        var random = new Random(seed);
        for (var watch = Stopwatch.StartNew(); watch.Elapsed.TotalSeconds < TestAssets.FuzzSeconds;)
        {
            var bytes = good[..random.Next(good.Length + 1)];
            for (var i = random.Next(4); i > 0 && bytes.Length > 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                _ = new Tokenizer(SentencePieceLoader.Parse(bytes)).Encode("a aa b");
            }
            catch (KvPrefetchException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {Convert.ToHexString(bytes)}: {e}");
            }
        }
    }

    private static byte[] Model(int kind, bool byteFallback, bool prefix, bool removesSpaces, IEnumerable<(string Text, float Score, int Type)> pieces)
    {
        var file = new List<byte>();
        foreach (var (text, score, type) in pieces)
        {
            var piece = new List<byte>();
            Bytes(piece, 1, Encoding.UTF8.GetBytes(text));
            piece.Add((2 << 3) | 5);
            var bits = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bits, score);
            piece.AddRange(bits);
            Number(piece, 3, type);
            Bytes(file, 1, [.. piece]);
        }

        var trainer = new List<byte>();
        Number(trainer, 3, kind);
        Number(trainer, 35, byteFallback ? 1 : 0);
        Bytes(file, 2, [.. trainer]);
        var normalizer = new List<byte>();
        Number(normalizer, 3, prefix ? 1 : 0);
        Number(normalizer, 4, removesSpaces ? 1 : 0);
        Bytes(file, 3, [.. normalizer]);
        return [.. file];
    }

    private static void Number(List<byte> target, int field, int value)
    {
        Varint(target, (uint)(field << 3));
        Varint(target, (uint)value);
    }

    private static void Bytes(List<byte> target, int field, byte[] bytes)
    {
        Varint(target, (uint)((field << 3) | 2));
        Varint(target, (uint)bytes.Length);
        target.AddRange(bytes);
    }

    private static void Varint(List<byte> target, uint value)
    {
        for (; value >= 128; value >>= 7)
        {
            target.Add((byte)(value | 128));
        }

        target.Add((byte)value);
    }
}
