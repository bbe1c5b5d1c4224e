using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>Products of a whole block of 16 rows with panels of quantised weights by the tiles of AMX (tdpbssd): the codes of a group are one product of tiles, whose sums go through memory to the vector unit for their factors.
/// The sums of the next group are on their way meanwhile. Codes of four bits come as bytes. All 16 rows are computed and written.</summary>
internal static class GroupedTileDot
{
    private const int Tile = 16, RowBytes = 32, PanelBytes = 64, Record = 640, Factors = 64, GroupBytes = 512, SumBytes = Tile * PanelBytes;

    private enum Field
    {
        Codes, CodesPitch, FactorsOfWeights, FactorsPitch, X, XFactors, Groups, Panels, Output, OutputPitch, Scratch,
    }

    /// <summary>For <c>ldtilecfg</c>: tiles 0 and 1 for sums, 16 rows of 64 bytes; 2 for activations, 16 rows of 32 bytes; 3 for weights, 8 rows of 64 bytes.</summary>
    public static byte[] Configuration()
    {
        var bytes = new byte[64];
        bytes[0] = 1;
        foreach (var (tile, rowBytes, rows) in (ReadOnlySpan<(int, int, int)>)[(0, PanelBytes, Tile), (1, PanelBytes, Tile), (2, RowBytes, Tile), (3, PanelBytes, GroupBytes / PanelBytes)])
        {
            bytes[16 + (2 * tile)] = (byte)rowBytes;
            bytes[48 + tile] = (byte)rows;
        }

        return bytes;
    }

    /// <param name="fourBits">Factors with minimum, or without.</param>
    /// <param name="windows">The calling convention.</param>
    public static byte[] Assemble(bool fourBits, bool windows)
    {
        var c = new Assembler(64) { PreferVex = false };
        MachineCode.Enter(c, windows);

        // zmm0-15 results of the rows, zmm16 scales, zmm17 minima, zmm18 upper halves, zmm20-27 sums and products on their way.
        c.mov(eax, unchecked((int)0xFFFF_0000));
        c.vpbroadcastd(zmm18, eax);
        c.mov(r8, At(Field.Scratch));
        c.mov(r10d, RowBytes);
        c.mov(r11d, PanelBytes);
        Label panel = c.CreateLabel(), loop = c.CreateLabel(), last = c.CreateLabel();
        c.Label(ref panel);
        c.mov(rsi, At(Field.Codes));
        c.mov(rdi, At(Field.FactorsOfWeights));
        c.mov(rdx, At(Field.X));
        c.mov(rbx, At(Field.XFactors));
        c.mov(rcx, At(Field.Groups));
        for (var r = 0; r < Tile; r++)
        {
            c.vpxord(Zmm(r), Zmm(r), Zmm(r));
        }

        // r14: where the sums of this group are; r15: where those of the next go.
        c.mov(r14, r8);
        c.lea(r15, __[r8 + SumBytes]);
        Sums(c, tmm0, r14);
        c.dec(rcx);
        c.jz(last);
        c.Label(ref loop);
        Sums(c, tmm1, r15);
        Add(c, fourBits);
        c.xchg(r14, r15);
        c.dec(rcx);
        c.jnz(loop);
        c.Label(ref last);
        Add(c, fourBits);

        c.mov(rax, At(Field.Output));
        c.mov(rcx, At(Field.OutputPitch));
        for (var r = 0; r < Tile; r++)
        {
            c.vmovups(__zmmword_ptr[rax], Zmm(r));
            c.add(rax, rcx);
        }

        c.mov(rax, At(Field.Output));
        c.add(rax, PanelBytes);
        c.mov(At(Field.Output), rax);
        foreach (var (field, pitch) in (ReadOnlySpan<(Field, Field)>)[(Field.Codes, Field.CodesPitch), (Field.FactorsOfWeights, Field.FactorsPitch)])
        {
            c.mov(rax, At(pitch));
            c.add(At(field), rax);
        }

        c.mov(rax, At(Field.Panels));
        c.dec(rax);
        c.mov(At(Field.Panels), rax);
        c.jnz(panel);
        MachineCode.Leave(c, windows);
        return MachineCode.Of(c);
    }

    /// <summary>Sums of the group at rsi and rdx to memory, and on to the next group.</summary>
    private static void Sums(Assembler c, AssemblerRegisterTMM sum, AssemblerRegister64 to)
    {
        c.tilezero(sum);
        c.tileloadd(tmm2, __[rdx + r10]);
        c.tileloadd(tmm3, __[rsi + r11]);
        c.tdpbssd(sum, tmm2, tmm3);
        c.tilestored(__[to + r11], sum);
        c.add(rsi, GroupBytes);
        c.add(rdx, Record);
    }

    /// <summary>Adds the sums at r14, times their factors, to the results, and on to the next group's factors.</summary>
    private static void Add(Assembler c, bool fourBits)
    {
        if (fourBits)
        {
            c.vmovdqu32(zmm16, __zmmword_ptr[rdi]);
            c.vpslld(zmm17, zmm16, 16);
            c.vpandd(zmm16, zmm16, zmm18);
        }
        else
        {
            c.vpmovzxwd(zmm16, __ymmword_ptr[rdi]);
            c.vpslld(zmm16, zmm16, 16);
        }

        for (var r = 0; r < Tile; r++)
        {
            AssemblerRegisterZMM sum = Zmm(20 + (r % 4)), product = Zmm(24 + (r % 4));
            if (fourBits)
            {
                c.vfmadd231ps(Zmm(r), zmm17, __dword_bcst[rbx + Factors + (r * sizeof(float))]);
            }

            c.vcvtdq2ps(sum, __zmmword_ptr[r14 + (r * PanelBytes)]);
            c.vmulps(product, zmm16, __dword_bcst[rbx + (r * sizeof(float))]);
            c.vfmadd231ps(Zmm(r), sum, product);
        }

        c.add(rdi, fourBits ? 64 : 32);
        c.add(rbx, Record);
    }

    private static AssemblerMemoryOperand At(Field field) => __qword_ptr[rbp + ((int)field * sizeof(long))];
    private static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
}
