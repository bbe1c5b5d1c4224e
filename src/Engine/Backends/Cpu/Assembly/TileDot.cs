using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>What a <see cref="TileDot"/> kernel works on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TileDotArguments
{
    /// <summary>Weights of the first output, bfloat16, as they are stored.</summary>
    public nint Weights;

    /// <summary>Bytes from an output's weights to the next output's.</summary>
    public long WeightsPitch;

    /// <summary>Blocks of 16 rows: <c>[inputs / 2][16 rows][2]</c> in bfloat16.</summary>
    public nint X;

    /// <summary>Bytes from a block of rows to the next.</summary>
    public long XBlock;

    /// <summary>Inputs / 32.</summary>
    public long Steps;

    /// <summary>Result, float32: for each 16 outputs and then each block of rows, <c>[16 outputs][16 rows]</c>.</summary>
    public nint Sums;
}

/// <summary>Products of blocks of 16 rows with groups of 16 outputs by the tiles of AMX (tdpbf16ps). The weights are the left factor, so that they are read as they are stored; the rows, of which there are fewer bytes, are laid out.
/// <para>Arithmetic of the instruction: in each step of 32 inputs the products of even places and those of odd places are summed in order, the two sums are added, and that to the sum so far. A row's bits do not depend on the other rows of its block.</para></summary>
internal static class TileDot
{
    /// <summary>Rows, outputs and half the inputs of a tile.</summary>
    public const int Tile = 16;

    /// <summary>Inputs of a step.</summary>
    public const int StepInputs = 32;

    private const int TileRowBytes = 64, TileBytes = Tile * TileRowBytes, Tiles = 8;

    private enum Field
    {
        Weights, WeightsPitch, X, XBlock, Steps, Sums,
    }

    /// <summary>For <c>ldtilecfg</c>: eight tiles of 16 rows of 64 bytes.</summary>
    public static byte[] Configuration()
    {
        var bytes = new byte[64];
        bytes[0] = 1;
        for (var i = 0; i < Tiles; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(16 + (2 * i)), (ushort)TileRowBytes);
            bytes[48 + i] = Tile;
        }

        return bytes;
    }

    /// <summary>Takes the address of a <see cref="Configuration"/>; every thread that computes needs it first.</summary>
    public static byte[] AssembleConfigure(bool windows)
    {
        var c = new Assembler(64);
        c.ldtilecfg(__[windows ? rcx : rdi]);
        c.ret();
        return MachineCode.Of(c);
    }

    /// <summary>Gives the tiles back, so that the system need not save them.</summary>
    public static byte[] AssembleRelease()
    {
        var c = new Assembler(64);
        c.tilerelease();
        c.ret();
        return MachineCode.Of(c);
    }

    /// <param name="outputGroups">1 or 2 times 16 outputs.</param>
    /// <param name="rowBlocks">1 or 2 times 16 rows.</param>
    /// <param name="windows">The calling convention; what it wants back is given back.</param>
    public static byte[] AssembleProduct(int outputGroups, int rowBlocks, bool windows)
    {
        var c = new Assembler(64);
        AssemblerRegisterTMM Sum(int group, int block) => new(Register.TMM0 + (group * 2) + block);
        AssemblerRegisterTMM[] weights = [tmm4, tmm5], x = [tmm6, tmm7];
        c.mov(r11, windows ? rcx : rdi);
        c.mov(rax, At(Field.Weights));
        c.mov(rdx, At(Field.WeightsPitch));
        c.mov(r8, At(Field.X));
        c.mov(r9, At(Field.Steps));

        // rcx: the second group's weights; r10: the second block of rows.
        c.mov(rcx, rdx);
        c.shl(rcx, 4);
        c.add(rcx, rax);
        c.mov(r10, r8);
        c.add(r10, At(Field.XBlock));
        c.push(rbx);
        c.push(rsi);
        c.mov(ebx, TileRowBytes);

        // rsi: the weights behind these. Few rows wait for memory, and sixteen streams side by side look like none to the processor: what comes next is asked for in the order in which it lies.
        c.mov(rsi, rdx);
        c.shl(rsi, (byte)(outputGroups == 2 ? 5 : 4));
        c.add(rsi, rax);
        ForEach((group, block) => c.tilezero(Sum(group, block)));

        var loop = c.CreateLabel();
        c.Label(ref loop);
        for (var i = 0; rowBlocks == 1 && i < outputGroups * Tile; i++)
        {
            c.prefetcht1(__byte_ptr[rsi + (i * TileRowBytes)]);
        }

        c.tileloadd(weights[0], __[rax + rdx]);
        c.tileloadd(x[0], __[r8 + rbx]);
        if (rowBlocks == 2)
        {
            c.tileloadd(x[1], __[r10 + rbx]);
        }

        if (outputGroups == 2)
        {
            c.tileloadd(weights[1], __[rcx + rdx]);
        }

        ForEach((group, block) => c.tdpbf16ps(Sum(group, block), weights[group], x[block]));
        c.add(rax, TileRowBytes);
        c.add(rcx, TileRowBytes);
        c.add(rsi, outputGroups * TileBytes);
        c.add(r8, TileBytes);
        c.add(r10, TileBytes);
        c.dec(r9);
        c.jnz(loop);

        c.mov(rax, At(Field.Sums));
        var stored = 0;
        ForEach((group, block) => c.tilestored(__[rax + rbx + (stored++ * TileBytes)], Sum(group, block)));
        c.pop(rsi);
        c.pop(rbx);
        c.ret();
        return MachineCode.Of(c);

        void ForEach(Action<int, int> action)
        {
            for (var group = 0; group < outputGroups; group++)
            {
                for (var block = 0; block < rowBlocks; block++)
                {
                    action(group, block);
                }
            }
        }
    }

    private static AssemblerMemoryOperand At(Field field) => __qword_ptr[r11 + ((int)field * sizeof(long))];
}
