using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends.Cpu.Assembly;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products of a few rows with panels of quantised weights, written in C#.
/// <para>Arithmetic, the same in every kernel of these products, assembled ones included: for each output, group after group, the sum over the 32 inputs of code * code, exact in 32 bits and rounded to float32;
/// Int4: result = fma(minimum, row's scale * sum of its codes, result); then result = fma(sum, weights' scale * row's scale, result). The bias is added last.
/// So an output has the same bits whatever the rows, threads, vector widths and instructions.</para></summary>
internal static unsafe class GroupedDot
{
    /// <summary>Rows of a call.</summary>
    public const int MaxRows = 4;

    /// <summary>Rows of one block with panels one after the other; codes of rows in 16 bits.</summary>
    public static void Run<TLanes, TInt, TFloat>(WeightFormat format, int rows, GroupedDotArguments* arguments)
        where TLanes : IGroupLanes<TInt, TFloat>
        where TInt : struct
        where TFloat : struct
    {
        for (long p = 0; p < arguments->Panels; p++)
        {
            byte* codes = (byte*)(arguments->Codes + (nint)(p * arguments->CodesPitch)), factors = (byte*)(arguments->Factors + (nint)(p * arguments->FactorsPitch));
            for (var lane = 0; lane < GroupedLayout.Outputs; lane += TLanes.Width)
            {
                var output = (float*)arguments->Output + (p * GroupedLayout.Outputs) + lane;
                var row = 0;
                if (rows >= MaxRows)
                {
                    Four<TLanes, TInt, TFloat>(format, arguments, codes, factors, lane, output);
                    row = MaxRows;
                }

                for (; row < rows; row++)
                {
                    One<TLanes, TInt, TFloat>(format, arguments, codes, factors, lane, row, (float*)((byte*)output + (row * arguments->OutputPitch)));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<TLanes, TInt, TFloat>(WeightFormat format, GroupedDotArguments* a, byte* codes, byte* factors, int lane, int row, float* output)
        where TLanes : IGroupLanes<TInt, TFloat>
        where TInt : struct
        where TFloat : struct
    {
        var record = GroupedRowsKernel.RecordBytes(wide: true);
        var x = (byte*)a->X + (row * GroupedRowsKernel.CodeBytes(wide: true));
        var scales = (byte*)a->XFactors + (row * sizeof(float));
        codes += lane * sizeof(int);
        TFloat result = default;
        if (format == WeightFormat.Int8)
        {
            factors += lane * sizeof(ushort);
            for (long g = 0; g < a->Groups; g++, codes += 512, factors += 32, x += record, scales += record)
            {
                TInt even = default, odd = default;
                for (var j = 0; j < 8; j++)
                {
                    var c = TLanes.Load(codes + (j * 64));
                    even = TLanes.AddProducts(even, TLanes.Evens(c), (int*)x + j);
                    odd = TLanes.AddProducts(odd, TLanes.Odds(c), (int*)x + 8 + j);
                }

                result = Add8<TLanes, TInt, TFloat>(result, even, odd, TLanes.LoadShort(factors), scales);
            }
        }
        else
        {
            factors += lane * sizeof(int);
            for (long g = 0; g < a->Groups; g++, codes += 256, factors += 64, x += record, scales += record)
            {
                TInt even = default, odd = default;
                for (var j = 0; j < 4; j++)
                {
                    var both = TLanes.Load(codes + (j * 64));
                    TInt low = TLanes.Low(both), high = TLanes.High(both);
                    even = TLanes.AddProducts(even, TLanes.Evens(low), (int*)x + j);
                    odd = TLanes.AddProducts(odd, TLanes.Odds(low), (int*)x + 8 + j);
                    even = TLanes.AddProducts(even, TLanes.Evens(high), (int*)x + 4 + j);
                    odd = TLanes.AddProducts(odd, TLanes.Odds(high), (int*)x + 12 + j);
                }

                var both16 = TLanes.Load(factors);
                result = Add4<TLanes, TInt, TFloat>(result, even, odd, TLanes.Upper(both16), TLanes.Lower(both16), scales);
            }
        }

        TLanes.Store(result, output);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<TLanes, TInt, TFloat>(WeightFormat format, GroupedDotArguments* a, byte* codes, byte* factors, int lane, float* output)
        where TLanes : IGroupLanes<TInt, TFloat>
        where TInt : struct
        where TFloat : struct
    {
        // Int8 as Int4 whose halves come one after the other: two loads instead of one.
        var record = GroupedRowsKernel.RecordBytes(wide: true);
        var pitch = GroupedRowsKernel.CodeBytes(wide: true) / sizeof(int);
        var x = (int*)a->X;
        var scales = (byte*)a->XFactors;
        var eight = format == WeightFormat.Int8;
        int codeBytes = GroupedLayout.CodeBytes(format), factorBytes = GroupedLayout.FactorBytes(format);
        codes += lane * sizeof(int);
        factors += lane * (eight ? sizeof(ushort) : sizeof(int));
        TFloat r0 = default, r1 = default, r2 = default, r3 = default;
        for (long g = 0; g < a->Groups; g++, codes += codeBytes, factors += factorBytes, x += record / sizeof(int), scales += record)
        {
            TInt s0 = default, s1 = default, s2 = default, s3 = default;
            for (var j = 0; j < 8; j++)
            {
                var c = eight ? TLanes.Load(codes + (j * 64)) : j < 4 ? TLanes.Low(TLanes.Load(codes + (j * 64))) : TLanes.High(TLanes.Load(codes + ((j - 4) * 64)));
                TInt even = TLanes.Evens(c), odd = TLanes.Odds(c);
                s0 = TLanes.AddProducts(TLanes.AddProducts(s0, even, x + j), odd, x + 8 + j);
                s1 = TLanes.AddProducts(TLanes.AddProducts(s1, even, x + pitch + j), odd, x + pitch + 8 + j);
                s2 = TLanes.AddProducts(TLanes.AddProducts(s2, even, x + (2 * pitch) + j), odd, x + (2 * pitch) + 8 + j);
                s3 = TLanes.AddProducts(TLanes.AddProducts(s3, even, x + (3 * pitch) + j), odd, x + (3 * pitch) + 8 + j);
            }

            if (eight)
            {
                var scale = TLanes.LoadShort(factors);
                r0 = Add8<TLanes, TInt, TFloat>(r0, s0, default, scale, scales);
                r1 = Add8<TLanes, TInt, TFloat>(r1, s1, default, scale, scales + 4);
                r2 = Add8<TLanes, TInt, TFloat>(r2, s2, default, scale, scales + 8);
                r3 = Add8<TLanes, TInt, TFloat>(r3, s3, default, scale, scales + 12);
            }
            else
            {
                var both = TLanes.Load(factors);
                TFloat scale = TLanes.Upper(both), minimum = TLanes.Lower(both);
                r0 = Add4<TLanes, TInt, TFloat>(r0, s0, default, scale, minimum, scales);
                r1 = Add4<TLanes, TInt, TFloat>(r1, s1, default, scale, minimum, scales + 4);
                r2 = Add4<TLanes, TInt, TFloat>(r2, s2, default, scale, minimum, scales + 8);
                r3 = Add4<TLanes, TInt, TFloat>(r3, s3, default, scale, minimum, scales + 12);
            }
        }

        TLanes.Store(r0, output);
        TLanes.Store(r1, (float*)((byte*)output + a->OutputPitch));
        TLanes.Store(r2, (float*)((byte*)output + (2 * a->OutputPitch)));
        TLanes.Store(r3, (float*)((byte*)output + (3 * a->OutputPitch)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TFloat Add8<TLanes, TInt, TFloat>(TFloat result, TInt even, TInt odd, TFloat scale, byte* scales)
        where TLanes : IGroupLanes<TInt, TFloat>
        where TInt : struct
        where TFloat : struct =>
        TLanes.FusedMultiplyAdd(TLanes.Convert(TLanes.Sum(even, odd)), TLanes.Times(scale, *(float*)scales), result);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TFloat Add4<TLanes, TInt, TFloat>(TFloat result, TInt even, TInt odd, TFloat scale, TFloat minimum, byte* scales)
        where TLanes : IGroupLanes<TInt, TFloat>
        where TInt : struct
        where TFloat : struct =>
        Add8<TLanes, TInt, TFloat>(TLanes.FusedMultiplyAdd(minimum, *(float*)(scales + GroupedRowsKernel.FactorBytes), result), even, odd, scale, scales);
}
