using System.Buffers.Binary;
using System.Text.Json;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>Bytes of weights that one decoded token reads: all tensors of the folder once, except an input embedding that is not also the output head.</summary>
internal static class WeightBytes
{
    public static long PerToken(string folder)
    {
        long total = 0, embedding = 0;
        var hasHead = false;
        foreach (var file in Directory.EnumerateFiles(folder, "*.safetensors"))
        {
            using var stream = File.OpenRead(file);
            var length = new byte[8];
            stream.ReadExactly(length);
            var header = new byte[checked((int)BinaryPrimitives.ReadInt64LittleEndian(length))];
            stream.ReadExactly(header);
            using var json = JsonDocument.Parse(header);
            foreach (var tensor in json.RootElement.EnumerateObject().Where(tensor => tensor.Name != "__metadata__"))
            {
                var offsets = tensor.Value.GetProperty("data_offsets");
                var bytes = offsets[1].GetInt64() - offsets[0].GetInt64();
                total += bytes;
                embedding += tensor.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal) ? bytes : 0;
                hasHead |= tensor.Name == "lm_head.weight";
            }
        }

        return hasHead ? total - embedding : total;
    }
}
