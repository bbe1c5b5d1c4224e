using System.Runtime.InteropServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Looks for NaN and infinity in weights. Reads the whole tensor, so it is only done when asked for: safetensors promises nothing about values.</summary>
internal static unsafe class FiniteCheck
{
    private const int Block = 4_096;

    /// <summary>Throws <see cref="ModelFormatException"/> with code <c>NonFinite</c> that names the tensor and the index of its first such element. Integers pass.</summary>
    public static void Require(in TensorView tensor, string? file = null)
    {
        var index = FirstNonFinite(tensor);
        if (index >= 0)
        {
            throw new ModelFormatException("NonFinite", $"The tensor {Excerpt.Of(tensor.Name)} holds NaN or infinity at element {index} of {tensor.ElementCount}.", file, tensor.Name);
        }
    }

    /// <summary>Index of the first element that is NaN or infinite, or -1.</summary>
    public static long FirstNonFinite(in TensorView tensor)
    {
        var size = tensor.Type.ByteSize();
        for (var start = 0L; start < tensor.ElementCount; start += Block)
        {
            var bytes = new ReadOnlySpan<byte>(tensor.Address + (start * size), (int)Math.Min(Block, tensor.ElementCount - start) * size);
            var index = FirstNonFinite(bytes, tensor.Type);
            if (index >= 0)
            {
                return start + index;
            }
        }

        return -1;
    }

    /// <summary>Elements are read without regard to alignment: the format does not promise it.</summary>
    private static int FirstNonFinite(ReadOnlySpan<byte> bytes, DType type)
    {
        for (var i = 0; i < bytes.Length / type.ByteSize(); i++)
        {
            var finite = type switch
            {
                DType.F64 => double.IsFinite(MemoryMarshal.Read<double>(bytes[(8 * i)..])),
                DType.F32 => float.IsFinite(MemoryMarshal.Read<float>(bytes[(4 * i)..])),
                DType.F16 => (bytes[(2 * i) + 1] & 0x7C) != 0x7C,
                DType.BF16 => (MemoryMarshal.Read<ushort>(bytes[(2 * i)..]) & 0x7F80) != 0x7F80,
                DType.F8E4M3 => (bytes[i] & 0x7F) != 0x7F,
                DType.F8E5M2 => (bytes[i] & 0x7C) != 0x7C,
                _ => true,
            };
            if (!finite)
            {
                return i;
            }
        }

        return -1;
    }
}
