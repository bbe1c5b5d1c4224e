using System.Runtime.CompilerServices;
using System.Text.Json;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>An element type that safetensors can name, whether this engine reads it or not.</summary>
/// <param name="Name">As the header spells it.</param>
/// <param name="Bits">Bits of one element.</param>
/// <param name="Type">Null where the engine has no such type.</param>
internal sealed record SafetensorsType(string Name, int Bits, DType? Type);

/// <summary>The types of the format.</summary>
internal static class SafetensorsTypes
{
    /// <summary>The commonest first.</summary>
    private static readonly (byte[] Utf8, SafetensorsType Type)[] All = Table(
        new("BF16", 16, DType.BF16), new("F32", 32, DType.F32), new("F16", 16, DType.F16), new("F8_E4M3", 8, DType.F8E4M3), new("U8", 8, DType.U8),
        new("I32", 32, DType.I32), new("I64", 64, DType.I64), new("F8_E5M2", 8, DType.F8E5M2), new("BOOL", 8, DType.Bool), new("I8", 8, DType.I8),
        new("I16", 16, DType.I16), new("U16", 16, DType.U16), new("U32", 32, DType.U32), new("U64", 64, DType.U64), new("F64", 64, DType.F64),
        new("F8_E8M0", 8, null), new("F8_E4M3FNUZ", 8, null), new("F8_E5M2FNUZ", 8, null), new("F4", 4, null), new("F6_E2M3", 6, null), new("F6_E3M2", 6, null), new("C64", 64, null));

    /// <summary>Names of the types that can be read, for messages.</summary>
    public static string Supported { get; } = string.Join(", ", All.Where(t => t.Type.Type is not null).Select(t => t.Type.Name));

    /// <summary>The type that the reader's current string names, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static SafetensorsType? Find(ref Utf8JsonReader reader)
    {
        foreach (var (utf8, type) in All)
        {
            if (reader.ValueTextEquals(utf8))
            {
                return type;
            }
        }

        return null;
    }

    private static (byte[], SafetensorsType)[] Table(params SafetensorsType[] types) => [.. types.Select(t => (System.Text.Encoding.ASCII.GetBytes(t.Name), t))];
}
