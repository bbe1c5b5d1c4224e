using System.Runtime.InteropServices;
using Iced.Intel;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Machine code made at run time: what it is encoded as, where it lies, and that the process stays whole around it.</summary>
public sealed unsafe class AssemblyTests(ITestOutputHelper output)
{
    private static readonly Register[] KeptByBoth = [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];
    private static readonly Register[] KeptByWindows = [Register.RSI, Register.RDI];

    public static TheoryData<int, int, bool> Dots
    {
        get
        {
            var data = new TheoryData<int, int, bool>();
            foreach (var windows in (bool[])[false, true])
            {
                data.Add(1, 8, windows);
                for (var rows = 1; rows <= Bf16Dot.MaxRows; rows++)
                {
                    data.Add(rows, 1, windows);
                    data.Add(rows, 4, windows);
                }
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Dots))]
    public void DotsAreEncodedForEitherCallingConvention(int rows, int outputs, bool windows)
    {
        var code = Decode(Bf16Dot.Assemble(rows, outputs, windows));
        Assert.Equal(2 * rows * outputs, code.Count(i => i.Mnemonic == Mnemonic.Vdpbf16ps));
        AssertWhole(code, windows);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    public void TilesAreEncodedForEitherCallingConvention(int groups, int blocks)
    {
        foreach (var windows in (bool[])[false, true])
        {
            var code = Decode(TileDot.AssembleProduct(groups, blocks, windows));
            Assert.Equal((groups * blocks, groups + blocks, groups * blocks, groups * blocks),
                (Count(Mnemonic.Tdpbf16ps), Count(Mnemonic.Tileloadd), Count(Mnemonic.Tilestored), Count(Mnemonic.Tilezero)));
            AssertWhole(code, windows);

            // No instruction reads and writes one tile as two operands: the processor refuses that.
            Assert.All(code.Where(i => i.Mnemonic == Mnemonic.Tdpbf16ps), i => Assert.Equal(3, ((Register[])[i.Op0Register, i.Op1Register, i.Op2Register]).Distinct().Count()));
            int Count(Mnemonic mnemonic) => code.Count(i => i.Mnemonic == mnemonic);
        }

        // tileloadd tmm4, [rax + rdx] as the manual writes it: VEX.128.F2.0F38.W0 4B /r with a SIB byte.
        Assert.Contains("C4-E2-7B-4B-24-10", BitConverter.ToString(TileDot.AssembleProduct(groups, blocks, windows: false)), StringComparison.Ordinal);

        // tdpbf16ps tmm0, tmm4, tmm6: VEX.128.F3.0F38.W0 5C 11:rrr:bbb, the second factor in vvvv.
        Assert.Contains("C4-E2-4A-5C-C4", BitConverter.ToString(TileDot.AssembleProduct(groups, blocks, windows: false)), StringComparison.Ordinal);
        Assert.Equal("C4-E2-78-49-07-C3", BitConverter.ToString(TileDot.AssembleConfigure(windows: false)));
        Assert.Equal("C4-E2-78-49-C0-C3", BitConverter.ToString(TileDot.AssembleRelease()));
    }

    [Fact]
    public void CodeIsNeverWritableAndExecutable()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc/self/maps");
        using var memory = ExecutableMemory.TryCreate([0xC3]);
        Assert.SkipWhen(memory is null, "the system allows no memory to execute");
        var line = File.ReadLines("/proc/self/maps").Single(l =>
        {
            var range = l[..l.IndexOf(' ', StringComparison.Ordinal)].Split('-').Select(a => Convert.ToUInt64(a, 16)).ToArray();
            return (ulong)memory.Address >= range[0] && (ulong)memory.Address < range[1];
        });
        Assert.Equal("r-xp", line.Split(' ')[1]);
        output.WriteLine(line);
    }

    [Fact]
    public void WhatServesIsSaid()
    {
        var sets = InstructionSets.Current;
        output.WriteLine(sets.ToString());
        var assembled = OperatingSystem.IsLinux() && Avx512;
        Assert.Equal(sets.Avx512Bf16 && assembled, Name(ProductKernels.VectorDots).Contains("bf16 dot products", StringComparison.Ordinal));
        Assert.Equal(sets.AmxBf16 && assembled, Name(ProductKernels.Tiles).Contains("tiles", StringComparison.Ordinal));
        Assert.DoesNotContain(",", Name(ProductKernels.Managed), StringComparison.Ordinal);
        using var exact = CpuBackend.Create(1);
        Assert.DoesNotContain(",", exact.Name, StringComparison.Ordinal);
    }

    /// <summary>Whatever else a thread does after a product with tiles: a null reference is an exception there and not the end of the process.</summary>
    [Fact]
    public void AThreadThatUsedTilesStillCatchesANullReference()
    {
        Assert.SkipUnless(InstructionSets.Current.AmxBf16, "no tiles here");
        var caught = 0;
        var thread = new Thread(() =>
        {
            using var backend = CpuBackend.Create(1, arithmetic: Arithmetic.Fast, kernels: ProductKernels.Tiles);
            var weights = new ushort[32 * 64];
            fixed (ushort* pointer = weights)
            {
                Rows x = backend.AllocateRows(2, 64), y = backend.AllocateRows(2, 32);
                backend.Linear(x, [new Projection(backend.LoadMatrix("w", DType.BF16, 32, 64, (nint)pointer), Bias: null)], y, 2);
            }

            for (var i = 0; i < 100; i++)
            {
                try
                {
                    _ = Environment.GetEnvironmentVariable("KVPREFETCH_NO_SUCH_VARIABLE")!.Length;
                }
                catch (NullReferenceException)
                {
                    caught++;
                }
            }
        });
        thread.Start();
        thread.Join();
        Assert.Equal(100, caught);
    }

    [Theory]
    [InlineData("Managed")]
    [InlineData("VectorDots")]
    [InlineData("Tiles")]
    public void ARowHasTheSameBitsAloneAndAmongFiveHundred(string kernels)
    {
        const int Rows = 512, Outputs = 208, Inputs = 576;
        var random = new Random(5);
        ushort[] weights = [.. Enumerable.Range(0, Outputs * Inputs).Select(_ => FloatFormats.SingleToBFloat16((float)random.NextDouble() - 0.5f))];
        using var backend = CpuBackend.Create(2, arithmetic: Arithmetic.Fast, kernels: Enum.Parse<ProductKernels>(kernels));
        Rows all = backend.AllocateRows(Rows, Inputs), alone = backend.AllocateRows(1, Inputs), together = backend.AllocateRows(Rows, Outputs), single = backend.AllocateRows(1, Outputs);
        for (var row = 0; row < Rows; row++)
        {
            foreach (ref var value in backend.Download(all, row))
            {
                value = (float)random.NextDouble() - 0.5f;
            }
        }

        fixed (ushort* pointer = weights)
        {
            Projection[] projections = [new(backend.LoadMatrix("w", DType.BF16, Outputs, Inputs, (nint)pointer), Bias: null)];
            backend.Linear(all, projections, together, Rows);
            for (var row = 0; row < Rows; row++)
            {
                backend.Download(all, row).CopyTo(backend.Download(alone, 0));
                backend.Linear(alone, projections, single, 1);
                Assert.True(MemoryMarshal.AsBytes(backend.Download(single, 0)).SequenceEqual(MemoryMarshal.AsBytes(backend.Download(together, row))), $"row {row}");
            }
        }
    }

    [Fact]
    public void ABlockTurnedOverTwiceIsItself()
    {
        Assert.SkipUnless(Avx512, "no AVX-512 here");
        var block = stackalloc float[256];
        for (var i = 0; i < 256; i++)
        {
            block[i] = i;
        }

        var turned = stackalloc float[256];
        Transpose16.Run(block, 16, turned, 16);
        for (var i = 0; i < 256; i++)
        {
            Assert.Equal(i, turned[(i % 16 * 16) + (i / 16)]);
        }

        Transpose16.Run(turned, 16, turned, 16);
        Assert.True(new Span<float>(block, 256).SequenceEqual(new Span<float>(turned, 256)));
    }

    private static bool Avx512 => System.Runtime.Intrinsics.X86.Avx512F.IsSupported;

    private static string Name(ProductKernels kernels)
    {
        using var backend = CpuBackend.Create(1, arithmetic: Arithmetic.Fast, kernels: kernels);
        return backend.Name;
    }

    private static List<Instruction> Decode(byte[] code)
    {
        var decoder = Decoder.Create(64, code);
        List<Instruction> all = [];
        while (decoder.IP < (ulong)code.Length)
        {
            all.Add(decoder.Decode());
        }

        return all;
    }

    /// <summary>Every byte decodes; it ends with a return; what is pushed is popped in reverse; every register that the caller wants back and the code writes is among them.</summary>
    private static void AssertWhole(List<Instruction> code, bool windows)
    {
        Assert.DoesNotContain(code, i => i.IsInvalid);
        Assert.Equal(Mnemonic.Ret, code[^1].Mnemonic);
        var pushed = code.Where(i => i.Mnemonic == Mnemonic.Push).Select(i => i.Op0Register).ToList();
        Assert.Equal(pushed, code.Where(i => i.Mnemonic == Mnemonic.Pop).Select(i => i.Op0Register).Reverse());
        var factory = new InstructionInfoFactory();
        var written = code.Where(i => i.Mnemonic != Mnemonic.Pop).SelectMany(i => factory.GetInfo(i).GetUsedRegisters().Where(u => u.Access is OpAccess.Write or OpAccess.ReadWrite or OpAccess.CondWrite))
            .Select(u => u.Register.GetFullRegister()).ToHashSet();
        Assert.Empty(written.Intersect(windows ? [.. KeptByBoth, .. KeptByWindows] : KeptByBoth).Except(pushed));

        // xmm6 to xmm15 belong to the caller on Windows: stored before they are written, loaded again after.
        if (windows && written.Contains(Register.ZMM6))
        {
            Assert.Equal(20, code.Count(i => i.Mnemonic == Mnemonic.Movups));
        }
    }
}
