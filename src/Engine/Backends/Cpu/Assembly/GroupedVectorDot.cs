using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>What a kernel for quantised weights works on: up to 16 rows of one block of activations and panels of 16 outputs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GroupedDotArguments
{
    /// <summary>Codes of the first panel; a group has 512 bytes of eight bits or 256 bytes of four.</summary>
    public nint Codes;

    /// <summary>Bytes from a panel's codes to the next panel's.</summary>
    public long CodesPitch;

    /// <summary>Factors of the first panel: 32 bytes a group, or 64.</summary>
    public nint Factors;
    public long FactorsPitch;

    /// <summary>Codes of the first row, in records of 640 bytes a group: 16 rows of 32 codes, 16 scales, 16 further factors.</summary>
    public nint X;

    /// <summary>Scale of the first row.</summary>
    public nint XFactors;
    public long Groups;
    public long Panels;

    /// <summary>float32, 16 outputs for each panel.</summary>
    public nint Output;

    /// <summary>Bytes from a row to the next.</summary>
    public long OutputPitch;

    /// <summary>2 KiB for kernels with tiles, aligned to 64 bytes.</summary>
    public nint Scratch;
}

/// <summary>Products of up to eight rows with panels of quantised weights, by vpdpbusd: unsigned times signed bytes, sums of four in 32 bits. One output in each lane.
/// Signed codes of weights become unsigned by turning their highest bit, and the sums begin with what that adds.</summary>
internal static class GroupedVectorDot
{
    /// <summary>Rows of the highest tile: with 512 bits, and with 256 bits and half as many registers.</summary>
    public const int MaxRows = 8, MaxNarrowRows = 4;

    private const int Record = 640, RowBytes = 32, Factors = 64, Panel = 64;

    private enum Field
    {
        Codes, CodesPitch, FactorsOfWeights, FactorsPitch, X, XFactors, Groups, Panels, Output, OutputPitch,
    }

    /// <param name="rows">1 to <see cref="MaxRows"/>.</param>
    /// <param name="fourBits">Four bits with minimum, or eight without.</param>
    /// <param name="windows">The calling convention.</param>
    public static byte[] Assemble(int rows, bool fourBits, bool windows)
    {
        var c = new Assembler(64) { PreferVex = false };
        MachineCode.Enter(c, windows);

        // zmm0-7 codes, zmm8 constant bits, zmm9 upper halves, zmm10-12 factors and products, zmm13-20 integer sums, zmm21-28 results, zmm29 the second sum of a single row.
        AssemblerRegisterZMM Sum(int r) => Zmm(13 + r);
        AssemblerRegisterZMM Result(int r) => Zmm(21 + r);
        c.mov(eax, fourBits ? 0x0F0F_0F0F : unchecked((int)0x8080_8080));
        c.vpbroadcastd(zmm8, eax);
        c.mov(eax, unchecked((int)0xFFFF_0000));
        c.vpbroadcastd(zmm9, eax);
        Label panel = c.CreateLabel(), loop = c.CreateLabel();
        Begin(c, ref panel);
        for (var r = 0; r < rows; r++)
        {
            c.vpxord(Result(r), Result(r), Result(r));
        }

        c.Label(ref loop);
        for (var j = 0; j < (fourBits ? 4 : 8); j++)
        {
            if (fourBits)
            {
                c.vmovdqu32(zmm10, __zmmword_ptr[rsi + (j * Panel)]);
                c.vpandd(Zmm(j), zmm10, zmm8);
                c.vpsrld(zmm10, zmm10, 4);
                c.vpandd(Zmm(j + 4), zmm10, zmm8);
            }
            else
            {
                c.vpxord(Zmm(j), zmm8, __zmmword_ptr[rsi + (j * Panel)]);
            }
        }

        for (var r = 0; r < rows; r++)
        {
            if (fourBits)
            {
                c.vpxord(Sum(r), Sum(r), Sum(r));
            }
            else
            {
                c.vpbroadcastd(Sum(r), __dword_ptr[rbx + Factors + (r * sizeof(int))]);
            }
        }

        if (rows == 1)
        {
            c.vpxord(zmm29, zmm29, zmm29);
        }

        for (var j = 0; j < 8; j++)
        {
            for (var r = 0; r < rows; r++)
            {
                c.vpdpbusd(rows == 1 && j % 2 == 1 ? zmm29 : Sum(r), Zmm(j), __dword_bcst[rdx + (r * RowBytes) + (j * 4)]);
            }
        }

        if (rows == 1)
        {
            c.vpaddd(Sum(0), Sum(0), zmm29);
        }

        if (fourBits)
        {
            c.vmovdqu32(zmm10, __zmmword_ptr[rdi]);
            c.vpslld(zmm11, zmm10, 16);
            c.vpandd(zmm10, zmm10, zmm9);
        }
        else
        {
            c.vpmovzxwd(zmm10, __ymmword_ptr[rdi]);
            c.vpslld(zmm10, zmm10, 16);
        }

        for (var r = 0; r < rows; r++)
        {
            if (fourBits)
            {
                c.vfmadd231ps(Result(r), zmm11, __dword_bcst[rbx + Factors + (r * sizeof(float))]);
            }

            c.vcvtdq2ps(Sum(r), Sum(r));
            c.vmulps(zmm12, zmm10, __dword_bcst[rbx + (r * sizeof(float))]);
            c.vfmadd231ps(Result(r), Sum(r), zmm12);
        }

        Advance(c, fourBits, loop);
        for (var r = 0; r < rows; r++)
        {
            c.vmovups(__zmmword_ptr[rax], Result(r));
            c.add(rax, r10);
        }

        End(c, panel, windows);
        return MachineCode.Of(c);
    }

    /// <summary>The same with 256 bits, the two halves of each panel one after the other.</summary>
    /// <param name="rows">1 to <see cref="MaxNarrowRows"/>.</param>
    /// <param name="fourBits">Four bits with minimum, or eight without.</param>
    /// <param name="windows">The calling convention.</param>
    public static byte[] AssembleNarrow(int rows, bool fourBits, bool windows)
    {
        var c = new Assembler(64) { PreferVex = true };
        MachineCode.Enter(c, windows);

        // ymm0 codes, ymm1 a row's four codes, ymm2 constant bits, ymm3-5 factors and products, ymm6-9 integer sums, ymm10-13 results.
        AssemblerRegisterYMM Sum(int r) => Ymm(6 + r);
        AssemblerRegisterYMM Result(int r) => Ymm(10 + r);
        c.mov(eax, fourBits ? 0x0F0F_0F0F : unchecked((int)0x8080_8080));
        c.vmovd(xmm2, eax);
        c.vpbroadcastd(ymm2, xmm2);
        Label panel = c.CreateLabel();
        Begin(c, ref panel);
        for (var half = 0; half < 2; half++)
        {
            var loop = c.CreateLabel();
            if (half == 1)
            {
                // Back to the panel's first group.
                c.mov(rsi, r8);
                c.mov(rdi, r9);
                c.mov(rdx, At(Field.X));
                c.mov(rbx, At(Field.XFactors));
                c.mov(rcx, At(Field.Groups));
                c.mov(rax, At(Field.Output));
            }

            for (var r = 0; r < rows; r++)
            {
                c.vpxor(Result(r), Result(r), Result(r));
            }

            c.Label(ref loop);
            for (var r = 0; r < rows; r++)
            {
                if (fourBits)
                {
                    c.vpxor(Sum(r), Sum(r), Sum(r));
                }
                else
                {
                    c.vpbroadcastd(Sum(r), __dword_ptr[rbx + Factors + (r * sizeof(int))]);
                }
            }

            for (var j = 0; j < 8; j++)
            {
                if (fourBits)
                {
                    c.vmovdqu(ymm0, __ymmword_ptr[rsi + (j % 4 * Panel) + (half * 32)]);
                    if (j >= 4)
                    {
                        c.vpsrld(ymm0, ymm0, 4);
                    }

                    c.vpand(ymm0, ymm0, ymm2);
                }
                else
                {
                    c.vpxor(ymm0, ymm2, __ymmword_ptr[rsi + (j * Panel) + (half * 32)]);
                }

                for (var r = 0; r < rows; r++)
                {
                    c.vpbroadcastd(ymm1, __dword_ptr[rdx + (r * RowBytes) + (j * 4)]);
                    c.vpdpbusd(Sum(r), ymm0, ymm1);
                }
            }

            if (fourBits)
            {
                c.vmovdqu(ymm4, __ymmword_ptr[rdi + (half * 32)]);
                c.vpsrld(ymm3, ymm4, 16);
                c.vpslld(ymm3, ymm3, 16);
                c.vpslld(ymm4, ymm4, 16);
            }
            else
            {
                c.vpmovzxwd(ymm3, __xmmword_ptr[rdi + (half * 16)]);
                c.vpslld(ymm3, ymm3, 16);
            }

            for (var r = 0; r < rows; r++)
            {
                if (fourBits)
                {
                    c.vbroadcastss(ymm5, __dword_ptr[rbx + Factors + (r * sizeof(float))]);
                    c.vfmadd231ps(Result(r), ymm4, ymm5);
                }

                c.vcvtdq2ps(Sum(r), Sum(r));
                c.vbroadcastss(ymm5, __dword_ptr[rbx + (r * sizeof(float))]);
                c.vmulps(ymm5, ymm3, ymm5);
                c.vfmadd231ps(Result(r), Sum(r), ymm5);
            }

            Advance(c, fourBits, loop);
            for (var r = 0; r < rows; r++)
            {
                c.vmovups(__ymmword_ptr[rax + (half * 32)], Result(r));
                c.add(rax, r10);
            }
        }

        End(c, panel, windows);
        return MachineCode.Of(c);
    }

    /// <summary>Registers at the start of each panel: rsi codes, rdi factors (r8 and r9: the panel's), rdx and rbx the rows', rcx groups left, rax the output, r10 its pitch, r11 panels left.</summary>
    private static void Begin(Assembler c, ref Label panel)
    {
        c.mov(r8, At(Field.Codes));
        c.mov(r9, At(Field.FactorsOfWeights));
        c.mov(r10, At(Field.OutputPitch));
        c.mov(r11, At(Field.Panels));
        c.Label(ref panel);
        c.mov(rsi, r8);
        c.mov(rdi, r9);
        c.mov(rdx, At(Field.X));
        c.mov(rbx, At(Field.XFactors));
        c.mov(rcx, At(Field.Groups));
        c.mov(rax, At(Field.Output));
    }

    private static void Advance(Assembler c, bool fourBits, Label loop)
    {
        c.add(rsi, fourBits ? 256 : 512);
        c.add(rdi, fourBits ? 64 : 32);
        c.add(rdx, Record);
        c.add(rbx, Record);
        c.dec(rcx);
        c.jnz(loop);
    }

    private static void End(Assembler c, Label panel, bool windows)
    {
        c.add(r8, At(Field.CodesPitch));
        c.add(r9, At(Field.FactorsPitch));
        c.mov(rax, At(Field.Output));
        c.add(rax, Panel);
        c.mov(At(Field.Output), rax);
        c.dec(r11);
        c.jnz(panel);
        MachineCode.Leave(c, windows);
    }

    private static AssemblerMemoryOperand At(Field field) => __qword_ptr[rbp + ((int)field * sizeof(long))];
    private static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
    private static AssemblerRegisterYMM Ymm(int number) => new(Register.YMM0 + number);
}
