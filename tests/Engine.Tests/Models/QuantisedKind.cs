using System.Text.Json.Nodes;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Models;

/// <summary>A format of quantised weights: its config, and a random matrix with the tensors that store it.</summary>
/// <param name="Config">quantization_config.</param>
/// <param name="Make">Weights <c>[outputs, inputs]</c> and tensors by the last part of their names.</param>
internal sealed record QuantisedKind(Func<JsonObject> Config, Func<Random, int, int, (float[] Weights, (string, Stored)[] Tensors)> Make)
{
    private const int Group = 32;

    private static readonly int[] AwqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

    public static QuantisedKind Of(string name) => name switch
    {
        "gptq" => Gptq("gptq", descAct: false),
        "gptq-desc_act" => Gptq("gptq", descAct: true),
        "gptq_v2" => Gptq("gptq_v2", descAct: false),
        "gptq_v2-desc_act" => Gptq("gptq_v2", descAct: true),
        "awq" => Awq(),
        "ct-int4" => CompressedInt4(symmetric: true, channel: false, order: null),
        "ct-int4-asym" => CompressedInt4(symmetric: false, channel: false, order: null),
        "ct-int4-channel" => CompressedInt4(symmetric: true, channel: true, order: null),
        "ct-int4-asym-actorder" => CompressedInt4(symmetric: false, channel: false, order: "group"),
        "ct-fp8-tensor" => CompressedFp8("tensor", null),
        "ct-fp8-channel" => CompressedFp8("channel", null),
        "ct-fp8-block" => CompressedFp8("block", [24, 40]),
        "fp8-block" => Fp8([40, 48]),
        "fp8-tensor" => Fp8(null),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    private static QuantisedKind Gptq(string format, bool descAct) => new(
        () => new JsonObject { ["quant_method"] = "gptq", ["bits"] = 4, ["group_size"] = Group, ["desc_act"] = descAct, ["sym"] = false, ["checkpoint_format"] = format, ["damp_percent"] = 0.01, ["true_sequential"] = true },
        (random, outputs, inputs) =>
        {
            var m = new Int4Matrix(random, outputs, inputs, Group, descAct);
            var offset = format == "gptq" ? 1 : 0;
            int words = inputs / 8, groups = m.Groups;
            return (m.Weights(),
            [
                ("qweight", Stored.I32(Pack(words * outputs, (word, j) => m.Code(word % outputs, (word / outputs * 8) + j)), words, outputs)),
                ("qzeros", Stored.I32(Pack(groups * outputs / 8, (word, j) => (m.Zero((word % (outputs / 8) * 8) + j, word / (outputs / 8)) - offset) & 15), groups, outputs / 8)),
                ("scales", Stored.F16(m.Scales(byGroup: true), groups, outputs)),
                ("g_idx", Stored.I32(m.GroupOf, inputs)),
            ]);
        });

    private static QuantisedKind Awq() => new(
        () => new JsonObject { ["quant_method"] = "awq", ["bits"] = 4, ["group_size"] = Group, ["zero_point"] = true, ["version"] = "gemm", ["modules_to_not_convert"] = null },
        (random, outputs, inputs) =>
        {
            var m = new Int4Matrix(random, outputs, inputs, Group, permuted: false);
            var words = outputs / 8;
            return (m.Weights(),
            [
                ("qweight", Stored.I32(Pack(inputs * words, (word, j) => m.Code((word % words * 8) + AwqOrder[j], word / words)), inputs, words)),
                ("qzeros", Stored.I32(Pack(m.Groups * words, (word, j) => m.Zero((word % words * 8) + AwqOrder[j], word / words)), m.Groups, words)),
                ("scales", Stored.F16(m.Scales(byGroup: true), m.Groups, outputs)),
            ]);
        });

    private static QuantisedKind CompressedInt4(bool symmetric, bool channel, string? order) => new(
        () => Compressed("pack-quantized", new JsonObject
        {
            ["num_bits"] = 4, ["type"] = "int", ["symmetric"] = symmetric, ["strategy"] = channel ? "channel" : "group", ["group_size"] = channel ? null : Group, ["dynamic"] = false, ["actorder"] = order,
        }),
        (random, outputs, inputs) =>
        {
            var m = new Int4Matrix(random, outputs, inputs, channel ? inputs : Group, permuted: order == "group", symmetric);
            var words = inputs / 8;
            List<(string, Stored)> tensors =
            [
                ("weight_packed", Stored.I32(Pack(outputs * words, (word, j) => m.Code(word / words, (word % words * 8) + j)), outputs, words)),
                ("weight_scale", Stored.F16(m.Scales(byGroup: false), outputs, m.Groups)),
                ("weight_shape", Stored.I64(outputs, inputs)),
            ];
            if (!symmetric)
            {
                tensors.Add(("weight_zero_point", Stored.I32(Pack(outputs / 8 * m.Groups, (word, j) => m.Zero((word / m.Groups * 8) + j, word % m.Groups)), outputs / 8, m.Groups)));
            }

            if (order == "group")
            {
                tensors.Add(("weight_g_idx", Stored.I32(m.GroupOf, inputs)));
            }

            return (m.Weights(), [.. tensors]);
        });

    private static QuantisedKind CompressedFp8(string strategy, int[]? block) => new(
        () => Compressed("float-quantized", new JsonObject
        {
            ["num_bits"] = 8, ["type"] = "float", ["symmetric"] = true, ["strategy"] = strategy, ["block_structure"] = block is null ? null : new JsonArray([.. block.Select(b => (JsonNode)b)]), ["dynamic"] = false,
        }, new JsonObject { ["num_bits"] = 8, ["type"] = "float", ["dynamic"] = false, ["strategy"] = "tensor" }),
        (random, outputs, inputs) =>
        {
            int rows = block?[0] ?? (strategy == "tensor" ? outputs : 1), columns = block?[1] ?? inputs;
            var (weights, codes, scales) = RandomFp8(random, outputs, inputs, rows, columns);
            long[] shape = strategy == "tensor" ? [1] : [(outputs + rows - 1) / rows, (inputs + columns - 1) / columns];
            return (weights, [("weight", Stored.Fp8(codes, outputs, inputs)), ("weight_scale", Stored.F32(scales, shape)), ("input_scale", Stored.F32([0.5f], 1))]);
        });

    private static QuantisedKind Fp8(int[]? block) => new(
        () => new JsonObject { ["quant_method"] = "fp8", ["weight_block_size"] = block is null ? null : new JsonArray([.. block.Select(b => (JsonNode)b)]), ["activation_scheme"] = block is null ? "static" : "dynamic" },
        (random, outputs, inputs) =>
        {
            int rows = block?[0] ?? outputs, columns = block?[1] ?? inputs;
            var (weights, codes, scales) = RandomFp8(random, outputs, inputs, rows, columns);
            long[] shape = block is null ? [] : [(outputs + rows - 1) / rows, (inputs + columns - 1) / columns];
            var code = ("weight", Stored.Fp8(codes, outputs, inputs));
            var scale = ("weight_scale_inv", Stored.F32(scales, shape));
            return (weights, block is null ? [code, scale, ("activation_scale", Stored.F32([0.5f]))] : [code, scale]);
        });

    private static JsonObject Compressed(string format, JsonObject weights, JsonObject? inputs = null) => new()
    {
        ["quant_method"] = "compressed-tensors", ["format"] = format, ["quantization_status"] = "compressed", ["ignore"] = new JsonArray("lm_head"), ["kv_cache_scheme"] = null,
        ["config_groups"] = new JsonObject { ["group_0"] = new JsonObject { ["targets"] = new JsonArray("Linear"), ["weights"] = weights, ["input_activations"] = inputs, ["output_activations"] = null } },
    };

    private static (float[] Weights, byte[] Codes, float[] Scales) RandomFp8(Random random, int outputs, int inputs, int rows, int columns)
    {
        int down = (outputs + rows - 1) / rows, across = (inputs + columns - 1) / columns;
        float[] scales = [.. Enumerable.Range(0, down * across).Select(_ => (float)(random.NextDouble() + 0.1) / 1000)];
        byte[] codes = [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.Next(256)).Select(c => (byte)((c & 0x7F) == 0x7F ? c - 1 : c))];
        float[] weights = [.. codes.Select((c, i) => FloatFormats.E4M3ToSingle(c) * scales[(i / inputs / rows * across) + (i % inputs / columns)])];
        return (weights, codes, scales);
    }

    private static int[] Pack(int words, Func<int, int, int> code) =>
        [.. Enumerable.Range(0, words).Select(word => (int)Enumerable.Range(0, 8).Aggregate(0u, (bits, j) => bits | ((uint)code(word, j) << (4 * j))))];

    /// <summary>Random codes, zero points and scales.</summary>
    private sealed class Int4Matrix
    {
        private readonly int _outputs;
        private readonly int _inputs;
        private readonly int[] _codes;
        private readonly int[] _zeros;
        private readonly Half[] _scales;

        public Int4Matrix(Random random, int outputs, int inputs, int groupSize, bool permuted, bool symmetric = false)
        {
            (_outputs, _inputs, Groups) = (outputs, inputs, inputs / groupSize);
            _codes = [.. Enumerable.Range(0, outputs * inputs).Select(_ => random.Next(16))];
            _zeros = [.. Enumerable.Range(0, outputs * Groups).Select(_ => symmetric ? 8 : random.Next(16))];
            _scales = [.. Enumerable.Range(0, outputs * Groups).Select(_ => (Half)((random.NextDouble() + 0.1) / 50))];
            GroupOf = [.. Enumerable.Range(0, inputs).Select(k => k / groupSize)];
            if (permuted)
            {
                random.Shuffle(GroupOf);
            }
        }

        public int Groups { get; }
        public int[] GroupOf { get; }

        public int Code(int output, int input) => _codes[(output * _inputs) + input];
        public int Zero(int output, int group) => _zeros[(output * Groups) + group];

        public Half[] Scales(bool byGroup) => byGroup
            ? [.. Enumerable.Range(0, Groups).SelectMany(g => Enumerable.Range(0, _outputs).Select(n => _scales[(n * Groups) + g]))]
            : _scales;

        public float[] Weights() => [.. _codes.Select((c, i) => (c - Zero(i / _inputs, GroupOf[i % _inputs])) * (float)_scales[(i / _inputs * Groups) + GroupOf[i % _inputs]])];
    }
}
