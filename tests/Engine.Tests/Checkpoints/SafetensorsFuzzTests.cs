using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Valid headers, damaged: the parser must agree with a validator that was written from the format's description and shares nothing with it.</summary>
public sealed class SafetensorsFuzzTests
{
    private static readonly Dictionary<string, int> Bits = new(StringComparer.Ordinal)
    {
        ["F64"] = 64, ["F32"] = 32, ["F16"] = 16, ["BF16"] = 16, ["F8_E4M3"] = 8, ["F8_E5M2"] = 8, ["F8_E8M0"] = 8, ["F8_E4M3FNUZ"] = 8, ["F8_E5M2FNUZ"] = 8, ["F4"] = 4, ["F6_E2M3"] = 6, ["F6_E3M2"] = 6,
        ["C64"] = 64, ["I64"] = 64, ["I32"] = 32, ["I16"] = 16, ["I8"] = 8, ["U64"] = 64, ["U32"] = 32, ["U16"] = 16, ["U8"] = 8, ["BOOL"] = 8,
    };

    private static readonly string[] Numbers =
    [
        "0", "1", "2", "3", "4", "7", "8", "16", "-1", "-0", "1.0", "1e1", "2147483648", "4294967296", "9007199254740991", "9007199254740992", "9223372036854775807", "9223372036854775808",
        "18446744073709551614", "18446744073709551615", "18446744073709551616", "null", "\"1\"", "[]", "{}", "true", "01", "NaN", " 5 ",
    ];

    [Fact]
    public void Headers_are_accepted_and_refused_as_an_independent_validator_does()
    {
        var (accepted, refused) = (0, 0);
        var codes = new HashSet<string>(StringComparer.Ordinal);
        Fuzz.Run("safetensors header", random =>
        {
            var (json, data) = Case(random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Fuzz.ErrorOf(() => SafetensorsHeader.Parse(json, data, "m.safetensors"));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000 + (json.Length * 20L));
            var expected = Refusal(json, data);
            Assert.True(expected is null == error is null, $"validator: {expected ?? "accepts"}, parser: {error?.Message ?? "accepts"}; {data} bytes of data after {Convert.ToBase64String(json)}");
            _ = error is null ? accepted++ : refused++;
            codes.Add(error?.Code ?? "");
        });
        TestContext.Current.TestOutputHelper?.WriteLine($"{accepted} accepted, {refused} refused with {codes.Count - 1} codes: {string.Join(' ', codes.Order(StringComparer.Ordinal))}");
        Assert.True((accepted > 0 && refused > 0) || Environment.GetEnvironmentVariable("KVPREFETCH_FUZZ_SEED") is not null);
    }

    [Fact]
    public void Files_give_typed_errors_only()
    {
        using var temp = new TempFolder();
        Fuzz.Run("safetensors file", random =>
        {
            var (json, data) = Case(random);
            var file = Bytes.File((ulong)json.Length, json, new byte[Math.Min(data, 100_000)]);
            file = random.Next(3) switch
            {
                0 => Fuzz.Damage(random, file),
                1 => file[..random.Next(file.Length + 1)],
                _ => file,
            };
            if (random.Next(4) == 0 && file.Length >= 8)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(file, Fuzz.Pick(random, (ulong)json.Length + 1, (ulong)json.Length - 1, 0UL, 100_000_000UL, 100_000_001UL, ulong.MaxValue, 1UL << 63));
            }

            var path = temp.Write("m.safetensors", file);
            Fuzz.ErrorOf(() =>
            {
                using var opened = SafetensorsFile.Open(path);
                for (var i = 0; i < opened.Entries.Length; i++)
                {
                    var index = i;
                    Fuzz.ErrorOf(() => Touch(opened.View(index)));
                }
            });
        });
    }

    /// <summary>A view that was given out can be read to its last byte.</summary>
    private static unsafe void Touch(TensorView view)
    {
        var sum = 0;
        for (var i = 0L; i < view.ByteLength; i++)
        {
            sum += view.Address[i];
        }

        Assert.True(sum >= 0 && view.ElementCount >= 0);
    }

    private static (byte[] Json, long Data) Case(Random random)
    {
        var (entries, data) = ValidEntries(random);
        for (var n = random.Next(4) == 0 ? 0 : random.Next(1, 3); n > 0; n--)
        {
            Mutate(random, entries);
        }

        if (random.Next(12) == 0)
        {
            data = Math.Max(0, data + random.Next(-3, 4));
        }

        var space = Fuzz.Pick(random, "", "", "", " ", "\n\t");
        var json = Fuzz.Utf8(space + "{" + string.Join("," + space, entries.Select(e => e.Name + ":" + space + e.Value)) + "}" + space);
        return (random.Next(5) == 0 ? Fuzz.Damage(random, json) : json, data);
    }

    /// <summary>Entries of a valid header as the texts of name and value.</summary>
    private static (List<(string Name, string Value)> Entries, long Data) ValidEntries(Random random)
    {
        var entries = new List<(string, string)>();
        var offset = 0L;
        for (var i = random.Next(6); i > 0; i--)
        {
            var (type, bits) = Bits.ElementAt(random.Next(Bits.Count));
            long[] shape = [.. Enumerable.Range(0, random.Next(4)).Select(_ => (long)random.Next(random.Next(6) == 0 ? 1 : 5) + (random.Next(8) == 0 ? 0 : 1)), 4];
            var length = shape.Aggregate(1L, (a, b) => a * b) * bits / 8;
            var fields = new[] { $"\"dtype\":\"{type}\"", $"\"shape\":[{string.Join(',', shape)}]", $"\"data_offsets\":[{offset},{offset + length}]" };
            random.Shuffle(fields);
            entries.Add(($"\"model.layers.{i}.{Fuzz.Pick(random, "weight", "é", "\\u0061", "\\n", "..")}\"", "{" + string.Join(',', fields) + "}"));
            offset += length;
        }

        if (random.Next(2) == 0)
        {
            entries.Insert(random.Next(entries.Count + 1), ("\"__metadata__\"", Fuzz.Pick(random, "{\"format\":\"pt\"}", "{}", "null", "{\"a\":\"b\",\"a\":\"c\"}")));
        }

        if (random.Next(3) == 0)
        {
            var shuffled = entries.ToArray();
            random.Shuffle(shuffled);
            entries = [.. shuffled];
        }

        return (entries, offset);
    }

    private static void Mutate(Random random, List<(string Name, string Value)> entries)
    {
        if (entries.Count == 0)
        {
            entries.Add(("\"__metadata__\"", Fuzz.Pick(random, "1", "[]", "{\"a\":1}", "{\"a\":null}", "{\"\\ud800\":\"\"}", "{\"a\":\"\\udc00\"}", "\"\"")));
            return;
        }

        var at = random.Next(entries.Count);
        var (name, value) = entries[at];
        switch (random.Next(9))
        {
            case 0:
                entries.RemoveAt(at);
                break;
            case 1:
                entries.Insert(random.Next(entries.Count + 1), (name, value));
                break;
            case 2:
                entries[at] = (Fuzz.Pick(random, "\"__metadata__\"", "\"\\ud800\"", "\"\"", "\"\\u0000\"", "x", entries[0].Name), value);
                break;
            case 3:
                entries[at] = (name, Fuzz.Pick(random, "1", "null", "[]", "{}", "\"x\""));
                break;
            case 4:
                entries[at] = (name, value.Replace("}", "," + Fuzz.Pick(random, "\"extra\":[1,{}]", "\"dtype\":\"F32\"", "\"shape\":[]", "\"data_offsets\":[0,0]", "\"\\ud800\":1", "\"e\":\"\\ud800\"", "\"dtyp\\u0065\":1") + "}", StringComparison.Ordinal));
                break;
            case 5:
                entries[at] = (name, value.Replace(Fuzz.Pick(random, "dtype", "shape", "data_offsets"), "other", StringComparison.Ordinal));
                break;
            case 6:
                var (from, _) = Bits.ElementAt(random.Next(Bits.Count));
                entries[at] = (name, value.Replace("\"" + from + "\"", Fuzz.Pick(random, "\"F128\"", "\"f32\"", "3", "null", "\"F4\"", "\"BF16\"", "\"\\u0046\\u0034\"", "\"\\ud800\""), StringComparison.Ordinal));
                break;
            default:
                // One number of a shape or of the offsets becomes another.
                var digits = Enumerable.Range(0, value.Length).Where(i => i > 0 && char.IsAsciiDigit(value[i]) && value[i - 1] is '[' or ',').ToList();
                if (digits.Count > 0)
                {
                    var start = digits[random.Next(digits.Count)];
                    var end = start;
                    while (end < value.Length && char.IsAsciiDigit(value[end]))
                    {
                        end++;
                    }

                    entries[at] = (name, value[..start] + Numbers[random.Next(Numbers.Length)] + (random.Next(5) == 0 ? ",1" : "") + value[end..]);
                }

                break;
        }
    }

    /// <summary>Why the format's description refuses a header, or null.</summary>
    private static string? Refusal(byte[] json, long data)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(json);
            if (json is [0xEF, 0xBB, 0xBF, ..])
            {
                return "byte order mark";
            }

            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object ? Refusal(document.RootElement, data) : "no object";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or DecoderFallbackException)
        {
            return e.GetType().Name;
        }
    }

    private static string? Refusal(JsonElement root, long data)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var ranges = new List<(BigInteger Begin, BigInteger End)>();
        foreach (var entry in root.EnumerateObject())
        {
            if (!names.Add(entry.Name))
            {
                return "twice: " + entry.Name;
            }

            if (entry.Name is "__metadata__")
            {
                if (entry.Value.ValueKind != JsonValueKind.Null && (entry.Value.ValueKind != JsonValueKind.Object || !entry.Value.EnumerateObject().All(p => p.Name is not null && p.Value.GetString() is not null)))
                {
                    return "metadata";
                }

                continue;
            }

            var fields = entry.Value.EnumerateObject().ToLookup(p => p.Name, p => p.Value, StringComparer.Ordinal);
            if (fields["dtype"].Count() != 1 || fields["shape"].Count() != 1 || fields["data_offsets"].Count() != 1)
            {
                return "fields";
            }

            BigInteger[] shape = [.. fields["shape"].Single().EnumerateArray().Select(Unsigned)];
            BigInteger[] offsets = [.. fields["data_offsets"].Single().EnumerateArray().Select(Unsigned)];
            if (!Bits.TryGetValue(fields["dtype"].Single().GetString() ?? "", out var bits) || shape.Length > 8 || shape.Any(d => d < 0 || d > long.MaxValue))
            {
                return "dtype or shape";
            }

            var count = BigInteger.One;
            foreach (var dimension in shape)
            {
                count *= dimension;
                if (count > long.MaxValue)
                {
                    return "overflow";
                }
            }

            if (offsets.Length != 2 || offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] >= BigInteger.Pow(2, 53) || (offsets[1] - offsets[0]) * 8 != count * bits)
            {
                return "offsets or size";
            }

            ranges.Add((offsets[0], offsets[1]));
        }

        ranges.Sort();
        var covered = BigInteger.Zero;
        foreach (var (begin, end) in ranges)
        {
            if (begin != covered)
            {
                return "hole or overlap";
            }

            covered = end;
        }

        return covered == data ? null : "length of data";
    }

    /// <summary>-1 for what is no unsigned 64-bit integer in plain digits.</summary>
    private static BigInteger Unsigned(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.GetRawText().All(char.IsAsciiDigit) && BigInteger.Parse(element.GetRawText(), System.Globalization.CultureInfo.InvariantCulture) is var number && number <= ulong.MaxValue ? number : -1;
}
