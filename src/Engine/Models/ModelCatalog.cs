using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Engine.Models;

/// <summary>The families this engine knows, one line each.</summary>
internal static class ModelCatalog
{
    private static readonly SortedDictionary<string, Func<HfConfig, IModelFamily>> Families = new(StringComparer.Ordinal)
    {
        ["apertus"] = c => new Apertus(c),
        ["arcee"] = c => new Arcee(c),
        ["cohere"] = c => new Cohere(c),
        ["cohere2"] = c => new Cohere(c),
        ["deepseek_v2"] = c => new DeepseekV2(c),
        ["deepseek_v3"] = c => new DeepseekV3(c),
        ["ernie4_5"] = c => new Ernie45(c),
        ["exaone4"] = c => new Exaone4(c),
        ["falcon_h1"] = c => new FalconH1(c),
        ["gemma"] = c => new Gemma(c),
        ["gemma2"] = c => new Gemma2(c),
        ["gemma3"] = c => new Wrapped(c),
        ["gemma3n"] = c => new Wrapped(c),
        ["gemma3n_text"] = c => new Gemma3nText(c),
        ["gemma3_text"] = c => new Gemma3Text(c),
        ["gemma4"] = c => new Wrapped(c),
        ["gemma4_text"] = c => new Gemma4Text(c),
        ["glm4"] = c => new Glm4(c),
        ["glm4_moe"] = c => new Glm4Moe(c),
        ["gpt2"] = c => new Gpt2(c),
        ["gpt_neox"] = c => new GptNeoX(c),
        ["gpt_oss"] = c => new GptOss(c),
        ["granite"] = c => new Granite(c),
        ["granitemoe"] = c => new GraniteMoe(c),
        ["granitemoehybrid"] = c => new GraniteMoeHybrid(c),
        ["helium"] = c => new Ernie45(c),
        ["hunyuan_v1_dense"] = c => new HunyuanV1Dense(c),
        ["internlm3"] = c => new SeedOss(c),
        ["kimi_linear"] = c => new KimiLinear(c),
        ["lfm2"] = c => new Lfm2(c),
        ["lfm2_moe"] = c => new Lfm2Moe(c),
        ["lfm3"] = c => new Lfm3(c),
        ["llama"] = c => new Llama(c),
        ["mamba2"] = c => new Mamba2(c),
        ["minimax_m2"] = c => new MiniMaxM2(c),
        ["ministral"] = c => new Mistral(c),
        ["ministral3"] = c => new Ministral3(c),
        ["mistral"] = c => new Mistral(c),
        ["mistral3"] = c => new Wrapped(c),
        ["mixtral"] = c => new Mixtral(c),
        ["nemotron"] = c => new Nemotron(c),
        ["nemotron_h"] = c => new NemotronH(c),
        ["olmo2"] = c => new Olmo2(c),
        ["olmo3"] = c => new Olmo2(c),
        ["olmo_hybrid"] = c => new OlmoHybrid(c),
        ["olmoe"] = c => new Olmoe(c),
        ["phi"] = c => new Phi(c),
        ["phi3"] = c => new Phi3(c),
        ["qwen2"] = c => new Qwen2(c),
        ["qwen2_moe"] = c => new Qwen2Moe(c),
        ["qwen3"] = c => new Qwen3(c),
        ["qwen3_5"] = c => new Wrapped(c),
        ["qwen3_5_moe_text"] = c => new Qwen35MoeText(c),
        ["qwen3_5_text"] = c => new Qwen35Text(c),
        ["qwen3_moe"] = c => new Qwen3Moe(c),
        ["qwen3_next"] = c => new Qwen3Next(c),
        ["seed_oss"] = c => new SeedOss(c),
        ["smollm3"] = c => new SmolLm3(c),
        ["stablelm"] = c => new StableLm(c),
        ["starcoder2"] = c => new Starcoder2(c),
    };

    /// <summary>Values of <c>model_type</c> that can be opened, in order.</summary>
    public static IReadOnlyCollection<string> ModelTypes => Families.Keys;

    /// <summary>Reads the family's part of the config; nothing is loaded yet.</summary>
    /// <exception cref="UnsupportedModelException">The model_type is not known, or something in the config is not supported.</exception>
    public static IModelFamily Describe(HfConfig config) => Families.TryGetValue(config.ModelType, out var create)
        ? create(config)
        : throw new UnsupportedModelException($"{config.File}: {config.FullName("model_type")} {Excerpt.Of(config.ModelType)} is not known; known are {string.Join(", ", Families.Keys)}.", config.FullName("model_type"));
}
