using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace KvPrefetch.Tests.Models;

/// <summary>A small random Llama twice: quantised as a maker would publish it, and the same weights in float32. Values are chosen first and packed here by the definition of each format.</summary>
internal sealed class QuantisedFolder : IDisposable
{
    public const int Hidden = 64, Inner = 96, Vocabulary = 40;

    private const int Heads = 4, KvHeads = 2, HeadDim = 16, Layers = 2;

    private readonly Checkpoints.TempFolder _packed = new();
    private readonly Checkpoints.TempFolder _plain = new();
    private readonly SortedDictionary<string, Stored> _packedTensors = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Stored> _plainTensors = new(StringComparer.Ordinal);
    private readonly Random _random;

    /// <param name="kind">The format.</param>
    /// <param name="seed">Of all values.</param>
    /// <param name="isPlain">Modules that are not quantised.</param>
    /// <param name="edit">Last word on the quantised folder's tensors and its quantization_config.</param>
    public QuantisedFolder(QuantisedKind kind, int seed, Func<string, bool>? isPlain = null, Action<SortedDictionary<string, Stored>, JsonObject>? edit = null)
    {
        _random = new Random(seed);
        Both("model.embed_tokens.weight", Floats(Vocabulary * Hidden, 1), Vocabulary, Hidden);
        Both("model.norm.weight", Floats(Hidden, 1), Hidden);
        Both("lm_head.weight", Floats(Vocabulary * Hidden, 0.3f), Vocabulary, Hidden);
        for (var i = 0; i < Layers; i++)
        {
            var layer = $"model.layers.{i}.";
            Both(layer + "input_layernorm.weight", Floats(Hidden, 1), Hidden);
            Both(layer + "post_attention_layernorm.weight", Floats(Hidden, 1), Hidden);
            foreach (var (name, outputs, inputs) in ((string, int, int)[])
            [
                ("self_attn.q_proj", Heads * HeadDim, Hidden), ("self_attn.k_proj", KvHeads * HeadDim, Hidden), ("self_attn.v_proj", KvHeads * HeadDim, Hidden), ("self_attn.o_proj", Hidden, Heads * HeadDim),
                ("mlp.gate_proj", Inner, Hidden), ("mlp.up_proj", Inner, Hidden), ("mlp.down_proj", Hidden, Inner),
            ])
            {
                Linear(kind, layer + name, outputs, inputs, isPlain?.Invoke(layer + name) == true);
            }
        }

        var quantisation = kind.Config();
        edit?.Invoke(_packedTensors, quantisation);
        Write(_packed, _packedTensors, quantisation);
        Write(_plain, _plainTensors, null);
    }

    public string Packed => _packed.Path;
    public string Plain => _plain.Path;

    public void Dispose()
    {
        _packed.Dispose();
        _plain.Dispose();
    }

    private void Linear(QuantisedKind kind, string name, int outputs, int inputs, bool plain)
    {
        if (plain)
        {
            Both(name + ".weight", Floats(outputs * inputs, 0.2f), outputs, inputs);
            return;
        }

        var (weights, tensors) = kind.Make(_random, outputs, inputs);
        _plainTensors.Add(name + ".weight", Stored.F32(weights, outputs, inputs));
        foreach (var (suffix, tensor) in tensors)
        {
            _packedTensors.Add($"{name}.{suffix}", tensor);
        }
    }

    private void Both(string name, float[] values, params long[] shape)
    {
        _plainTensors.Add(name, Stored.F32(values, shape));
        _packedTensors.Add(name, Stored.F32(values, shape));
    }

    private float[] Floats(int count, float scale) => [.. Enumerable.Range(0, count).Select(_ => scale * ((float)_random.NextDouble() - 0.5f) * 2)];

    private static void Write(Checkpoints.TempFolder folder, SortedDictionary<string, Stored> tensors, JsonObject? quantisation)
    {
        var config = new JsonObject
        {
            ["model_type"] = "llama", ["hidden_act"] = "silu", ["hidden_size"] = Hidden, ["intermediate_size"] = Inner, ["num_hidden_layers"] = Layers, ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KvHeads, ["head_dim"] = HeadDim, ["vocab_size"] = Vocabulary, ["max_position_embeddings"] = 128, ["rms_norm_eps"] = 1e-5, ["rope_theta"] = 10000.0,
            ["tie_word_embeddings"] = false,
        };
        if (quantisation is not null)
        {
            config["quantization_config"] = quantisation;
        }

        folder.Write("config.json", config.ToJsonString());
        var header = new JsonObject();
        var offset = 0L;
        foreach (var (name, tensor) in tensors)
        {
            header[name] = new JsonObject { ["dtype"] = tensor.Type, ["shape"] = new JsonArray([.. tensor.Shape.Select(n => (JsonNode)n)]), ["data_offsets"] = new JsonArray(offset, offset + tensor.Data.Length) };
            offset += tensor.Data.Length;
        }

        folder.Write("model.safetensors", Checkpoints.Bytes.File(Encoding.UTF8.GetBytes(header.ToJsonString()), tensors.Values.SelectMany(t => t.Data).ToArray()));
    }
}

/// <summary>A tensor as it stands in a file.</summary>
internal sealed record Stored(string Type, long[] Shape, byte[] Data)
{
    public static Stored F32(float[] values, params long[] shape) => new("F32", shape, MemoryMarshal.AsBytes<float>(values).ToArray());
    public static Stored F16(Half[] values, params long[] shape) => new("F16", shape, MemoryMarshal.AsBytes<Half>(values).ToArray());
    public static Stored I32(int[] values, params long[] shape) => new("I32", shape, MemoryMarshal.AsBytes<int>(values).ToArray());
    public static Stored I64(params long[] values) => new("I64", [values.Length], MemoryMarshal.AsBytes<long>(values).ToArray());
    public static Stored Fp8(byte[] values, params long[] shape) => new("F8_E4M3", shape, values);
}
