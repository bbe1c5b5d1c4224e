using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>Latent attention with packed products: what makes keys of the latent is turned round when the model is opened, which changes no weight.</summary>
public sealed class QuantisedLatentTests(ITestOutputHelper output)
{
    private const int Hidden = 64, Inner = 96, Vocabulary = 40, Heads = 2, Still = 32, Turning = 16, Value = 32, Latent = 64;

    private readonly int _seed = Random.Shared.Next();

    [Theory]
    [InlineData("gptq")]
    [InlineData("gptq-desc_act")]
    [InlineData("awq")]
    [InlineData("ct-int4-asym")]
    [InlineData("ct-fp8-channel")]
    [InlineData("fp8-block")]
    public void PackedProductsGiveWhatTheirFloatsGive(string name)
    {
        output.WriteLine($"seed {_seed}");
        var random = new Random(_seed);
        var kind = QuantisedKind.Of(name);
        SortedDictionary<string, Stored> packed = new(StringComparer.Ordinal), plain = new(StringComparer.Ordinal);
        void Both(string tensor, float scale, params long[] shape) =>
            packed[tensor] = plain[tensor] = Stored.F32([.. Enumerable.Range(0, checked((int)shape.Aggregate(1L, (a, b) => a * b))).Select(_ => scale * ((2 * random.NextSingle()) - 1))], shape);

        Both("model.embed_tokens.weight", 1, Vocabulary, Hidden);
        Both("model.norm.weight", 1, Hidden);
        Both("lm_head.weight", 0.3f, Vocabulary, Hidden);
        const string Layer = "model.layers.0.";
        Both(Layer + "input_layernorm.weight", 1, Hidden);
        Both(Layer + "post_attention_layernorm.weight", 1, Hidden);
        Both(Layer + "self_attn.kv_a_layernorm.weight", 1, Latent);
        foreach (var (module, outputs, inputs) in ((string, int, int)[])
        [
            ("self_attn.q_proj", Heads * (Still + Turning), Hidden), ("self_attn.kv_a_proj_with_mqa", Latent + Turning, Hidden), ("self_attn.kv_b_proj", Heads * (Still + Value), Latent),
            ("self_attn.o_proj", Hidden, Heads * Value), ("mlp.gate_proj", Inner, Hidden), ("mlp.up_proj", Inner, Hidden), ("mlp.down_proj", Hidden, Inner),
        ])
        {
            var (weights, tensors) = kind.Make(random, outputs, inputs);
            plain.Add($"{Layer}{module}.weight", Stored.F32(weights, outputs, inputs));
            foreach (var (suffix, tensor) in tensors)
            {
                packed.Add($"{Layer}{module}.{suffix}", tensor);
            }
        }

        using Checkpoints.TempFolder first = new(), second = new();
        Write(first, packed, kind.Config());
        Write(second, plain, null);
        foreach (var create in (Func<IBackend>[])[() => CpuBackend.Create(2), () => new ReferenceBackend()])
        {
            using ModelHarness actual = new(first.Path, create(), chunk: 5), expected = new(second.Path, create(), chunk: 5);
            int[] prompt = [.. Enumerable.Range(0, 23).Select(i => (i * 7) % Vocabulary)];
            Assert.All(expected.Greedy(prompt, 3, out _).Zip(actual.Greedy(prompt, 3, out _)), pair =>
                Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"seed {_seed}"));
        }
    }

    private static void Write(Checkpoints.TempFolder folder, SortedDictionary<string, Stored> tensors, JsonObject? quantisation)
    {
        var config = new JsonObject
        {
            ["model_type"] = "deepseek_v2", ["hidden_act"] = "silu", ["hidden_size"] = Hidden, ["intermediate_size"] = Inner, ["num_hidden_layers"] = 1, ["num_attention_heads"] = Heads, ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = 128, ["rms_norm_eps"] = 1e-6, ["rope_theta"] = 10000.0, ["first_k_dense_replace"] = 1, ["n_routed_experts"] = 2, ["num_experts_per_tok"] = 1, ["moe_intermediate_size"] = 8, ["q_lora_rank"] = null,
            ["kv_lora_rank"] = Latent, ["qk_nope_head_dim"] = Still, ["qk_rope_head_dim"] = Turning, ["v_head_dim"] = Value,
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
            header[name] = new JsonObject { ["dtype"] = tensor.Type, ["shape"] = new JsonArray([.. tensor.Shape.Select(n => (JsonNode)n)]), ["data_offsets"] = new JsonArray(offset, offset += tensor.Data.Length) };
        }

        folder.Write("model.safetensors", Checkpoints.Bytes.File(Encoding.UTF8.GetBytes(header.ToJsonString()), tensors.Values.SelectMany(t => t.Data).ToArray()));
    }
}
