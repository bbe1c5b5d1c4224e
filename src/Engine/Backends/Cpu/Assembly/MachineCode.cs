using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>How kernels begin and end, and bytes of what was assembled. The code refers to no address, so that it runs wherever it is placed.</summary>
internal static class MachineCode
{
    // What both calling conventions want back.
    private static readonly AssemblerRegister64[] Kept = [rbx, rbp, rsi, rdi, r12, r13, r14, r15];

    public static byte[] Of(Assembler assembler)
    {
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), rip: 0);
        return stream.ToArray();
    }

    /// <summary>Keeps what the caller wants back; the only argument goes to rbp.</summary>
    public static void Enter(Assembler c, bool windows)
    {
        foreach (var register in Kept)
        {
            c.push(register);
        }

        if (windows)
        {
            c.sub(rsp, 160);
            for (var i = 6; i < 16; i++)
            {
                c.movups(__xmmword_ptr[rsp + ((i - 6) * 16)], new AssemblerRegisterXMM(Register.XMM0 + i));
            }
        }

        c.mov(rbp, windows ? rcx : rdi);
    }

    /// <summary>Gives it back and returns.</summary>
    public static void Leave(Assembler c, bool windows)
    {
        c.vzeroupper();
        if (windows)
        {
            for (var i = 6; i < 16; i++)
            {
                c.movups(new AssemblerRegisterXMM(Register.XMM0 + i), __xmmword_ptr[rsp + ((i - 6) * 16)]);
            }

            c.add(rsp, 160);
        }

        foreach (var register in Kept.Reverse())
        {
            c.pop(register);
        }

        c.ret();
    }
}
