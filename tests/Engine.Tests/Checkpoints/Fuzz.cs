using System.Diagnostics;
using System.Globalization;
using System.Text;
using KvPrefetch.Engine;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Runs a case again and again, each with a seed of its own, for as long as fuzzers may run. KVPREFETCH_FUZZ_SEED starts at a given seed: the one that a failure prints fails again at once.</summary>
internal static class Fuzz
{
    /// <summary>Calls <paramref name="run"/> with a generator made from each seed; it must throw nothing but what it expects.</summary>
    public static void Run(string name, Action<Random> run)
    {
        var first = int.TryParse(Environment.GetEnvironmentVariable("KVPREFETCH_FUZZ_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next(1 << 30);
        var clock = Stopwatch.StartNew();
        var seed = first;
        try
        {
            do
            {
                run(new Random(seed++));
            }
            while (clock.Elapsed.TotalSeconds < TestAssets.FuzzSeconds);
        }
        catch (Exception e)
        {
            Assert.Fail($"{name}: seed {seed - 1} (KVPREFETCH_FUZZ_SEED={seed - 1} replays it): {e}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {seed - first} cases from seed {first} in {clock.Elapsed.TotalSeconds:F1} s");
    }

    /// <summary>The typed error of the action, or null when it succeeds. Any other exception comes out.</summary>
    public static KvPrefetchException? ErrorOf(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (KvPrefetchException e)
        {
            Assert.NotEmpty(e.Code);
            Assert.True(e.Message.Length < 4_000, "a message of " + e.Message.Length);
            return e;
        }
    }

    /// <summary>One to three bytes changed, removed, repeated or put in.</summary>
    public static byte[] Damage(Random random, byte[] bytes)
    {
        const string json = "{}[]\":,0123456789-+.eE\\u tfn\0\n\t\u00ff";
        var result = bytes.ToList();
        for (var n = random.Next(1, 4); n > 0 && result.Count > 0; n--)
        {
            var at = random.Next(result.Count);
            var value = random.Next(4) == 0 ? (byte)random.Next(256) : (byte)json[random.Next(json.Length)];
            switch (random.Next(5))
            {
                case 0:
                    result[at] = value;
                    break;
                case 1:
                    result.Insert(at, value);
                    break;
                case 2:
                    result.RemoveRange(at, Math.Min(random.Next(1, 9), result.Count - at));
                    break;
                case 3:
                    result.InsertRange(at, result.GetRange(at, Math.Min(random.Next(1, 40), result.Count - at)));
                    break;
                default:
                    result.RemoveRange(at, result.Count - at);
                    break;
            }
        }

        return [.. result];
    }

    public static T Pick<T>(Random random, params ReadOnlySpan<T> choices) => choices[random.Next(choices.Length)];

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
