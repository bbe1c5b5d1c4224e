using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>What a <see cref="Bf16Dot"/> kernel works on; the kernel moves Output and Bias as it goes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Bf16DotArguments
{
    /// <summary>Rows of bfloat16.</summary>
    public nint X;

    /// <summary>Bytes from a row to the next.</summary>
    public long XPitch;

    /// <summary>Outputs' weights in bfloat16, <see cref="Inputs"/> each, one after the other.</summary>
    public nint Weights;
    public long WeightsPitch;

    /// <summary>float32</summary>
    public nint Output;
    public long OutputPitch;

    /// <summary>float32 for each output, or 0.</summary>
    public nint Bias;
    public long Inputs;

    /// <summary>How many times the kernel's outputs; at least 1.</summary>
    public long Groups;
}

/// <summary>Products of a few rows with a few outputs at a time: dot products of bfloat16 in float32, with vdpbf16ps.
/// <para>Arithmetic, the same for every shape: 16 sums run over the inputs in blocks of 32, each adding the product of the odd and then of the even place of its pair; inputs that fill no block
/// count as one with zeros behind; the 16 sums are added as (0 + 2) + (1 + 3) of each quarter, halves, quarters; then the bias. So an output has the same bits in any tile.</para></summary>
internal static class Bf16Dot
{
    /// <summary>Rows of the highest tile.</summary>
    public const int MaxRows = 6;

    private const int Block = 64;    // bytes

    /// <summary>Fields of <see cref="Bf16DotArguments"/>, in their order.</summary>
    private enum Field
    {
        X, XPitch, Weights, WeightsPitch, Output, OutputPitch, Bias, Inputs, Groups,
    }

    /// <param name="rows">1 to <see cref="MaxRows"/>.</param>
    /// <param name="outputs">1, 4, or, for a single row, 8: their sums hide the latency of the instruction.</param>
    /// <param name="windows">The calling convention.</param>
    public static byte[] Assemble(int rows, int outputs, bool windows)
    {
        var c = new Assembler(64) { PreferVex = false };    // registers above 15
        MachineCode.Enter(c, windows);
        AssemblerRegister64[] x = [r8, r9, r10, r11, r12, r13], w = rows == 1 ? [rax, rbx, rcx, rdx, r9, r10, r11, r12] : [rax, rbx, rcx, rdx];

        // Pointers of the rows; bytes in whole blocks (rdi); a mask for the places behind them (k1).
        c.mov(r8, At(Field.X));
        for (var m = 1; m < rows; m++)
        {
            c.mov(x[m], x[m - 1]);
            c.add(x[m], At(Field.XPitch));
        }

        c.mov(rcx, At(Field.Inputs));
        c.lea(rdi, __[rcx * 2]);
        c.and(rdi, -Block);
        c.and(ecx, 31);
        c.mov(eax, 1);
        c.shl(eax, cl);
        c.dec(eax);
        c.kmovd(k1, eax);
        c.mov(rax, At(Field.Weights));
        c.mov(r14, At(Field.Groups));

        Label group = c.CreateLabel(), loop = c.CreateLabel(), last = c.CreateLabel(), sum = c.CreateLabel();
        c.Label(ref group);
        for (var n = 1; n < outputs; n++)
        {
            c.mov(w[n], w[n - 1]);
            c.add(w[n], At(Field.WeightsPitch));
        }

        // r15: the weights behind this group.
        c.mov(r15, w[outputs - 1]);
        c.add(r15, At(Field.WeightsPitch));
        for (var i = 0; i < rows * outputs; i++)
        {
            c.vpxord(Zmm(i), Zmm(i), Zmm(i));
        }

        c.xor(esi, esi);
        c.cmp(rsi, rdi);
        c.jae(last);
        c.Label(ref loop);
        Step(c, rows, outputs, x, w, masked: false);
        c.add(rsi, Block);
        c.cmp(rsi, rdi);
        c.jb(loop);

        c.Label(ref last);
        c.kortestd(k1, k1);
        c.jz(sum);
        Step(c, rows, outputs, x, w, masked: true);

        c.Label(ref sum);
        Finish(c, rows, outputs);
        c.mov(rax, r15);
        c.dec(r14);
        c.jnz(group);
        MachineCode.Leave(c, windows);
        return MachineCode.Of(c);
    }

    /// <summary>One block of inputs, at byte rsi of every row.</summary>
    private static void Step(Assembler c, int rows, int outputs, AssemblerRegister64[] x, AssemblerRegister64[] w, bool masked)
    {
        AssemblerRegisterZMM xs = zmm28, ws = zmm24;
        void Load(AssemblerRegisterZMM to, AssemblerRegister64 from)
        {
            if (masked)
            {
                c.vmovdqu16(to.k1.z, __zmmword_ptr[from + rsi]);
            }
            else
            {
                c.vmovdqu16(to, __zmmword_ptr[from + rsi]);
            }
        }

        if (rows == 1)
        {
            Load(xs, x[0]);
            for (var n = 0; n < outputs; n++)
            {
                // Eight streams side by side look like none to the processor: ask for the next group in the order of memory.
                if (!masked && outputs == 8)
                {
                    c.prefetcht1(__byte_ptr[r15 + rsi * 8 + n * Block]);
                }

                Load(ws, w[n]);
                c.vdpbf16ps(Zmm(n), xs, ws);
            }

            return;
        }

        for (var n = 0; n < outputs; n++)
        {
            Load(Zmm(24 + n), w[n]);
        }

        for (var m = 0; m < rows; m++)
        {
            Load(xs, x[m]);
            for (var n = 0; n < outputs; n++)
            {
                c.vdpbf16ps(Zmm((m * outputs) + n), xs, Zmm(24 + n));
            }
        }
    }

    /// <summary>Sums, bias, store; moves on by a group.</summary>
    private static void Finish(Assembler c, int rows, int outputs)
    {
        Label bare = c.CreateLabel(), write = c.CreateLabel();
        c.mov(rdx, At(Field.Output));
        c.mov(rcx, rdx);
        c.add(rcx, outputs * sizeof(float));
        c.mov(At(Field.Output), rcx);
        for (var part = 0; part < outputs; part += 4)
        {
            c.vpxord(Zmm(24 + (part / 4)), Zmm(24 + (part / 4)), Zmm(24 + (part / 4)));
        }

        c.mov(rbx, At(Field.Bias));
        c.test(rbx, rbx);
        c.jz(bare);
        for (var part = 0; part < outputs; part += 4)
        {
            if (outputs == 1)
            {
                c.vmovss(xmm24, __dword_ptr[rbx]);
            }
            else
            {
                c.vmovups(Xmm(24 + (part / 4)), __xmmword_ptr[rbx + (part * sizeof(float))]);
            }
        }

        c.add(rbx, outputs * sizeof(float));
        c.mov(At(Field.Bias), rbx);
        c.Label(ref bare);
        for (var m = 0; m < rows; m++)
        {
            for (var part = 0; part < outputs; part += 4)
            {
                var first = (m * outputs) + part;
                AssemblerRegisterZMM Sum(int i) => Zmm(first + Math.Min(i, outputs - 1));
                c.vunpcklps(zmm29, Sum(0), Sum(1));
                c.vunpckhps(zmm30, Sum(0), Sum(1));
                c.vaddps(zmm29, zmm29, zmm30);
                c.vunpcklps(zmm30, Sum(2), Sum(3));
                c.vunpckhps(zmm31, Sum(2), Sum(3));
                c.vaddps(zmm30, zmm30, zmm31);
                c.vunpcklpd(zmm31, zmm29, zmm30);
                c.vunpckhpd(zmm29, zmm29, zmm30);
                c.vaddps(zmm29, zmm31, zmm29);
                c.vextractf64x4(ymm30, zmm29, 1);
                c.vaddps(ymm29, ymm29, ymm30);
                c.vextractf32x4(xmm30, ymm29, 1);
                c.vaddps(xmm29, xmm29, xmm30);
                c.vaddps(xmm29, xmm29, Xmm(24 + (part / 4)));
                if (outputs == 1)
                {
                    c.vmovss(__dword_ptr[rdx], xmm29);
                }
                else
                {
                    c.vmovups(__xmmword_ptr[rdx + (part * sizeof(float))], xmm29);
                }
            }

            if (m + 1 < rows)
            {
                c.add(rdx, At(Field.OutputPitch));
            }
        }
    }

    private static AssemblerMemoryOperand At(Field field) => __qword_ptr[rbp + ((int)field * sizeof(long))];
    private static AssemblerRegisterZMM Zmm(int number) => new(Register.ZMM0 + number);
    private static AssemblerRegisterXMM Xmm(int number) => new(Register.XMM0 + number);
}
