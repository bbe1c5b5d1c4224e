using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Engine.Models;

/// <summary>The families this engine knows, one line each.</summary>
internal static class ModelCatalog
{
    private static readonly SortedDictionary<string, Entry> Families = new(StringComparer.Ordinal)
    {
        ["apertus"] = new(c => new Apertus(c), "Apertus"),
        ["arcee"] = new(c => new Arcee(c), "AFM (Arcee)"),
        ["cohere"] = new(c => new Cohere(c), "Command R, Aya"),
        ["cohere2"] = new(c => new Cohere(c), "Command R7B, Command A"),
        ["deepseek_v2"] = new(c => new DeepseekV2(c), "DeepSeek V2, V2 Lite"),
        ["deepseek_v3"] = new(c => new DeepseekV3(c), "DeepSeek V3, R1, V3.1"),
        ["ernie4_5"] = new(c => new Ernie45(c), "ERNIE 4.5 (dense)"),
        ["exaone4"] = new(c => new Exaone4(c), "EXAONE 4"),
        ["falcon_h1"] = new(c => new FalconH1(c), "Falcon-H1"),
        ["gemma"] = new(c => new Gemma(c), "Gemma 1"),
        ["gemma2"] = new(c => new Gemma2(c), "Gemma 2"),
        ["gemma3"] = new(c => new Wrapped(c), "Gemma 3, multimodal folders"),
        ["gemma3_text"] = new(c => new Gemma3Text(c), "Gemma 3 (text)"),
        ["gemma3n"] = new(c => new Wrapped(c), "Gemma 3n, multimodal folders"),
        ["gemma3n_text"] = new(c => new Gemma3nText(c), "Gemma 3n"),
        ["gemma4"] = new(c => new Wrapped(c), "Gemma 4, multimodal folders"),
        ["gemma4_text"] = new(c => new Gemma4Text(c), "Gemma 4"),
        ["glm4"] = new(c => new Glm4(c), "GLM-4-0414"),
        ["glm4_moe"] = new(c => new Glm4Moe(c), "GLM-4.5, 4.6"),
        ["gpt2"] = new(c => new Gpt2(c), "GPT-2"),
        ["gpt_neox"] = new(c => new GptNeoX(c), "Pythia, GPT-NeoX"),
        ["gpt_oss"] = new(c => new GptOss(c), "gpt-oss"),
        ["granite"] = new(c => new Granite(c), "Granite 3"),
        ["granitemoe"] = new(c => new GraniteMoe(c), "Granite 3 MoE"),
        ["granitemoehybrid"] = new(c => new GraniteMoeHybrid(c), "Granite 4"),
        ["helium"] = new(c => new Ernie45(c), "Helium"),
        ["hunyuan_v1_dense"] = new(c => new HunyuanV1Dense(c), "Hunyuan (dense)"),
        ["internlm3"] = new(c => new SeedOss(c), "InternLM3"),
        ["internvl"] = new(c => new Wrapped(c), "InternVL 3, multimodal folders"),
        ["kimi_linear"] = new(c => new KimiLinear(c), "Kimi Linear"),
        ["lfm2"] = new(c => new Lfm2(c), "LFM2"),
        ["lfm2_moe"] = new(c => new Lfm2Moe(c), "LFM2 MoE"),
        ["lfm2_vl"] = new(c => new Wrapped(c), "LFM2-VL, multimodal folders"),
        ["lfm3"] = new(c => new Lfm3(c), "LFM3"),
        ["llama"] = new(c => new Llama(c), "Llama 2, 3; SmolLM, SmolLM2; many others"),
        ["llava"] = new(c => new Wrapped(c), "LLaVA, multimodal folders"),
        ["mamba2"] = new(c => new Mamba2(c), "Mamba 2"),
        ["minimax_m2"] = new(c => new MiniMaxM2(c), "MiniMax-M2"),
        ["ministral"] = new(c => new Mistral(c), "Ministral"),
        ["ministral3"] = new(c => new Ministral3(c), "Ministral 3"),
        ["mistral"] = new(c => new Mistral(c), "Mistral 7B, Nemo, Small"),
        ["mistral3"] = new(c => new Wrapped(c), "Mistral Small 3.1, Ministral 3, multimodal folders"),
        ["mixtral"] = new(c => new Mixtral(c), "Mixtral"),
        ["nemotron"] = new(c => new Nemotron(c), "Nemotron 4, Minitron"),
        ["nemotron_h"] = new(c => new NemotronH(c), "Nemotron-H, Nemotron Nano"),
        ["olmo2"] = new(c => new Olmo2(c), "OLMo 2"),
        ["olmo3"] = new(c => new Olmo2(c), "OLMo 3"),
        ["olmo_hybrid"] = new(c => new OlmoHybrid(c), "OLMo Hybrid"),
        ["olmoe"] = new(c => new Olmoe(c), "OLMoE"),
        ["phi"] = new(c => new Phi(c), "Phi 1, 1.5, 2"),
        ["phi3"] = new(c => new Phi3(c), "Phi 3, 3.5, 4"),
        ["qwen2"] = new(c => new Qwen2(c), "Qwen 2, 2.5"),
        ["qwen2_moe"] = new(c => new Qwen2Moe(c), "Qwen 1.5 MoE, 2 MoE"),
        ["qwen3"] = new(c => new Qwen3(c), "Qwen 3"),
        ["qwen3_5"] = new(c => new Wrapped(c), "Qwen 3.5, multimodal folders"),
        ["qwen3_5_moe"] = new(c => new Wrapped(c), "Qwen 3.5 MoE, multimodal folders"),
        ["qwen3_5_moe_text"] = new(c => new Qwen35MoeText(c), "Qwen 3.5 MoE"),
        ["qwen3_5_text"] = new(c => new Qwen35Text(c), "Qwen 3.5"),
        ["qwen3_moe"] = new(c => new Qwen3Moe(c), "Qwen 3 MoE"),
        ["qwen3_next"] = new(c => new Qwen3Next(c), "Qwen3-Next"),
        ["seed_oss"] = new(c => new SeedOss(c), "Seed-OSS"),
        ["smollm3"] = new(c => new SmolLm3(c), "SmolLM3"),
        ["stablelm"] = new(c => new StableLm(c), "StableLM 2"),
        ["starcoder2"] = new(c => new Starcoder2(c), "StarCoder2"),
    };

    /// <summary>Values of <c>model_type</c> that can be opened, in order.</summary>
    public static IReadOnlyCollection<string> ModelTypes => Families.Keys;

    /// <summary>What people know a type as: models, in short.</summary>
    public static string KnownAs(string modelType) => Families[modelType].KnownAs;

    /// <summary>Reads the family's part of the config; nothing is loaded yet.</summary>
    /// <exception cref="UnsupportedModelException">The model_type is not known, or something in the config is not supported.</exception>
    public static IModelFamily Describe(HfConfig config) => Families.TryGetValue(config.ModelType, out var family)
        ? family.Create(config)
        : throw new UnsupportedModelException($"{config.File}: {config.FullName("model_type")} {Excerpt.Of(config.ModelType)} is not known; known are {string.Join(", ", Families.Keys)}.", config.FullName("model_type"));

    private sealed record Entry(Func<HfConfig, IModelFamily> Create, string KnownAs);
}
