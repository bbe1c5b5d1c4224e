using System.Diagnostics;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

public class InstructionSetTests
{
    /// <summary>What <see cref="Bits"/> gave when this was written; a rule that changes on purpose changes it too.</summary>
    private const ulong Expected = 10668068537351005763;

    [Fact]
    public void GP11_weights_sums_and_tokens_have_the_same_bits_on_every_machine() => Assert.Equal(Expected, Bits());

    [Theory]
    [InlineData("EnableAVX512", "EnableAVX512F")]
    [InlineData("EnableAVX2")]
    [InlineData("EnableHWIntrinsic")]
    public async Task GP11_and_without_the_instruction_sets_of_this_one(params string[] switchedOff)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Engine.Tests" + (OperatingSystem.IsWindows() ? ".exe" : "")))
        {
            ArgumentList = { "-method", typeof(InstructionSetTests).FullName + "." + nameof(GP11_weights_sums_and_tokens_have_the_same_bits_on_every_machine) },
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        foreach (var name in switchedOff)
        {
            start.Environment["DOTNET_" + name] = "0";
        }

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0 && output.Contains("Total: 1, Errors: 0, Failed: 0", StringComparison.Ordinal), output);
    }

    private static ulong Bits()
    {
        const int Vocabulary = 3001;
        var hash = 0xCBF29CE484222325UL;
        void Add(ulong value) => hash = (hash ^ value) * 0x100000001B3;

        // Logits from integers alone: the mathematical functions of two platforms differ.
        var logits = Enumerable.Range(0, Vocabulary).Select(i => ((RandomStream.Block(1, (ulong)i).Low >> 40) * (24f / (1 << 24))) - 12).ToArray();
        var weights = new float[Vocabulary];
        SoftWeights.Exponentials(logits, Logits.Max(logits), 0.7f, weights);
        Array.ForEach(weights, w => Add(BitConverter.SingleToUInt32Bits(w)));
        Add(BitConverter.DoubleToUInt64Bits(new Draw(Vocabulary).Sum(weights)));
        SamplingOptions[] variants = [new() { Temperature = 0 }, new(), new() { TopK = 40 }, new() { TopP = 0.9f }, new() { TopK = 900, TopP = 0.7f, MinP = 0.01f, Temperature = 1.7f }];
        var sampler = new Sampler(Vocabulary);
        foreach (var options in variants)
        {
            var sequence = new Sequence(0, [1], 100, options with { Seed = 5, RepetitionPenalty = 1.3f, FrequencyPenalty = 0.2f }, []);
            for (var i = 0; i < 50; i++)
            {
                sequence.Append(sampler.Pick(sequence, (float[])logits.Clone()));
                Add((ulong)sequence.Tokens[^1]);
            }
        }

        return hash;
    }
}
