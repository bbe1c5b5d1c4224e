using Iced.Intel;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>Bytes of what was assembled. The code refers to no address, so that it runs wherever it is placed.</summary>
internal static class MachineCode
{
    public static byte[] Of(Assembler assembler)
    {
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }
}
