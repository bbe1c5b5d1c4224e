using System.Diagnostics;
using System.IO.Pipes;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Rows MF01 to MF45 of the catalogue of bad inputs, as far as they concern one file.</summary>
public sealed unsafe class SafetensorsFileTests : IDisposable
{
    private const string One = """{"t":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}""";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private SafetensorsFile Open(byte[] bytes) => SafetensorsFile.Open(_folder.Write("m.safetensors", bytes));

    /// <summary>Opening must fail with this code, quickly, and allocate little beyond the header.</summary>
    private ModelFormatException Refused(string code, byte[] bytes, string? message = null)
    {
        var path = _folder.Write("m.safetensors", bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (1 << 20) + (bytes.Length * 4L));
        Assert.Equal(code, error.Code);
        Assert.Equal("m.safetensors", error.File);
        Assert.True(error.Message.Length < 1_000, error.Message);
        if (message is not null)
        {
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }

        return error;
    }

    private ModelFormatException RefusedHeader(string code, string header, int dataBytes = 0, string? message = null) => Refused(code, Bytes.File(header, dataBytes), message);

    private static string Entry(string dtype = "\"F32\"", string shape = "[2,2]", string offsets = "[0,16]") => $$$"""{"t":{"dtype":{{{dtype}}},"shape":{{{shape}}},"data_offsets":{{{offsets}}}}}""";

    [Fact]
    public void A_valid_file_is_described_and_read()
    {
        var data = new byte[16];
        for (var i = 0; i < 4; i++)
        {
            BitConverter.TryWriteBytes(data.AsSpan(4 * i), (float)i);
        }

        using var file = Open(Bytes.File(Encoding.UTF8.GetBytes(One), data));
        Assert.True(file.TryFind("t", out var index));
        var view = file.View(index);
        Assert.Equal((DType.F32, 4, 16), (view.Type, view.ElementCount, view.ByteLength));
        Assert.Equal([2L, 2L], view.Shape.ToArray());
        Assert.Equal([0f, 1f, 2f, 3f], new ReadOnlySpan<float>(view.Address, 4).ToArray());
        Assert.False(file.TryFind("u", out _));
    }

    [Fact]
    public void Every_element_type_of_the_engine_is_read()
    {
        foreach (var (name, type) in new[]
        {
            ("F64", DType.F64), ("F32", DType.F32), ("F16", DType.F16), ("BF16", DType.BF16), ("F8_E4M3", DType.F8E4M3), ("F8_E5M2", DType.F8E5M2), ("I64", DType.I64), ("I32", DType.I32),
            ("I16", DType.I16), ("I8", DType.I8), ("U64", DType.U64), ("U32", DType.U32), ("U16", DType.U16), ("U8", DType.U8), ("BOOL", DType.Bool),
        })
        {
            using var file = Open(Bytes.Tensors(name, type.ByteSize(), ("t", [3, 5])));
            Assert.Equal((type, 15L), (file.View(0).Type, file.View(0).ElementCount));
        }
    }

    [Fact]
    public void MF01_empty_file() => Refused("HeaderTooSmall", []);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void MF02_less_than_eight_bytes(int length) => Refused("HeaderTooSmall", new byte[length]);

    [Fact]
    public void MF03_header_is_cut_off() => Refused("InvalidHeaderLength", Bytes.File(60, []), "60");

    [Theory]
    [InlineData(0xffffff000000003c)]
    [InlineData(100_000_001)]
    public void MF04_header_above_the_cap(ulong declared) => Refused("HeaderTooLarge", Bytes.File(declared, new byte[100]), "100000000");

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue - 7)]
    public void MF05_header_length_that_wraps(ulong declared) => Refused("HeaderTooLarge", Bytes.File(declared, new byte[100]));

    [Fact]
    public void MF06_header_at_the_cap_in_a_short_file() => Refused("InvalidHeaderLength", Bytes.File(100_000_000, new byte[100]));

    [Fact]
    public void MF07_header_that_is_not_utf8() => Refused("HeaderNotUtf8", Bytes.File([0xff], []));

    [Theory]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("{}x")]
    [InlineData("{}{}")]
    [InlineData("{\"__metadata__\":{},}")]
    [InlineData("{\"__metadata__\":{}")]
    [InlineData("{'t':1}")]
    [InlineData("// c\n{}")]
    [InlineData("{} \0")]
    public void MF08_header_that_is_not_json(string header) => RefusedHeader("HeaderNotJson", header);

    [Fact]
    public void MF09_a_byte_order_mark_is_refused_and_leading_white_space_accepted()
    {
        RefusedHeader("HeaderNotJson", "\uFEFF{}", message: "byte order mark");
        using var file = Open(Bytes.File(" \n\t\r" + One, 16));
        Assert.Equal(1, file.Entries.Length);
    }

    [Fact]
    public void MF10_trailing_white_space_is_padding()
    {
        using var file = Open(Bytes.File("{} \r\n\t "));
        Assert.Equal(0, file.Entries.Length);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("\"x\"")]
    [InlineData("null")]
    [InlineData("1")]
    public void MF11_header_that_is_no_object(string header) => RefusedHeader("HeaderNotObject", header);

    [Theory]
    [InlineData("{\"t\":", "}")]
    [InlineData("{\"t\":{\"extra\":[", "]}}")]
    public void MF12_depth_of_ten_thousand(string open, string close) => RefusedHeader("HeaderNotJson", string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + string.Concat(Enumerable.Repeat(close, 10_000)));

    [Theory]
    [InlineData("t")]
    [InlineData("\\u0074")]
    public void MF13_duplicate_tensor(string again)
    {
        var error = RefusedHeader("DuplicateTensor", """{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"AGAIN":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""".Replace("AGAIN", again, StringComparison.Ordinal), 2);
        Assert.Equal("t", error.Tensor);
    }

    [Theory]
    [InlineData("dtype", "\"F32\"")]
    [InlineData("shape", "[2,2]")]
    [InlineData("data_offsets", "[0,16]")]
    public void MF14_duplicate_field(string field, string value) => RefusedHeader("DuplicateField", One.Replace("}}", ",\"" + field + "\":" + value + "}}", StringComparison.Ordinal), 16, field);

    [Theory]
    [InlineData("{\"a\":1}")]
    [InlineData("{\"a\":{}}")]
    [InlineData("{\"a\":null}")]
    [InlineData("[]")]
    [InlineData("\"a\"")]
    public void MF15_metadata_must_be_strings(string metadata) => RefusedHeader("MetadataInvalid", "{\"__metadata__\":" + metadata + "}");

    [Fact]
    public void MF15_metadata_twice() => RefusedHeader("MetadataInvalid", """{"__metadata__":{},"__metadata__":{}}""");

    [Fact]
    public void MF15_metadata_of_fifty_megabytes_is_within_the_cap()
    {
        using var file = Open(Bytes.File("{\"__metadata__\":{\"a\":\"" + new string('x', 50_000_000) + "\"}}"));
        Assert.Equal(0, file.Entries.Length);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"format\":\"pt\"}")]
    public void MF16_metadata_is_no_tensor(string metadata)
    {
        using var file = Open(Bytes.File("{\"__metadata__\":" + metadata + "}"));
        Assert.Equal(0, file.Entries.Length);
    }

    [Theory]
    [InlineData("\"F128\"")]
    [InlineData("\"f32\"")]
    [InlineData("\"\"")]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("[]")]
    public void MF17_unknown_dtype(string dtype) => RefusedHeader("UnknownDtype", Entry(dtype), 16);

    [Theory]
    [InlineData("F4", 2)]
    [InlineData("F6_E2M3", 3)]
    [InlineData("F6_E3M2", 3)]
    [InlineData("F8_E8M0", 4)]
    [InlineData("C64", 32)]
    public void MF18_types_that_the_engine_does_not_read_are_refused_when_asked_for(string dtype, int bytes)
    {
        using var file = Open(Bytes.File(Entry($"\"{dtype}\"", "[4]", $"[0,{bytes}]"), bytes));
        Assert.Equal(dtype, file.Entries[0].Type.Name);
        var error = Assert.Throws<UnsupportedModelException>(() => file.View(0));
        Assert.Contains(dtype, error.Message, StringComparison.Ordinal);
        Assert.Contains("BF16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dtype")]
    [InlineData("shape")]
    [InlineData("data_offsets")]
    public void MF19_missing_field(string field) => RefusedHeader("MissingField", One.Replace(field, "other", StringComparison.Ordinal), 16, field);

    [Theory]
    [InlineData("1")]
    [InlineData("null")]
    [InlineData("[]")]
    public void MF19_an_entry_that_is_no_object(string entry) => RefusedHeader("InvalidEntry", "{\"t\":" + entry + "}");

    [Fact]
    public void MF19_further_fields_are_ignored()
    {
        using var file = Open(Bytes.File(One.Replace("{\"dtype\"", "{\"extra\":[1,{\"a\":null}],\"dtype\"", StringComparison.Ordinal), 16));
        Assert.Equal(1, file.Entries.Length);
    }

    [Theory]
    [InlineData("[-1]")]
    [InlineData("[2.0]")]
    [InlineData("[1e3]")]
    [InlineData("[\"2\"]")]
    [InlineData("[null]")]
    [InlineData("[[2]]")]
    [InlineData("[18446744073709551616]")]
    [InlineData("null")]
    [InlineData("4")]
    [InlineData("{}")]
    public void MF20_shapes_that_are_none(string shape) => RefusedHeader("InvalidShape", Entry(shape: shape), 16);

    [Theory]
    [InlineData("[2,18446744073709551614]", "[0,16]")] // MF21
    [InlineData("[2,9223372036854775807]", "[0,16]")] // MF22
    [InlineData("[4294967296,4294967296]", "[0,0]")] // MF23
    [InlineData("[9223372036854775810,2]", "[0,16]")] // MF24
    [InlineData("[4611686018427387904]", "[0,0]")] // the element size is what makes it too large
    public void MF21_to_MF24_products_that_overflow(string shape, string offsets) => RefusedHeader("Overflow", Entry(shape: shape, offsets: offsets), 16);

    [Fact]
    public void MF25_rank_of_ten_thousand()
    {
        RefusedHeader("RankTooLarge", Entry(shape: "[" + string.Join(',', Enumerable.Repeat(1, 10_000)) + "]", offsets: "[0,4]"), 4, "8");
        using var file = Open(Bytes.File(Entry(shape: "[1,1,1,1,1,1,1,1]", offsets: "[0,4]"), 4));
        Assert.Equal(8, file.View(0).Shape.Length);
    }

    [Fact]
    public void MF26_offsets_and_shape_disagree() => RefusedHeader("SizeMismatch", Entry(offsets: "[0,4]"), 4, "16");

    [Theory]
    [InlineData("[16,0]")]
    [InlineData("[9007199254740992,9007199254741008]")]
    [InlineData("[0,18446744073709551615]")]
    [InlineData("[0,18446744073709551616]")]
    [InlineData("[-1,15]")]
    [InlineData("[0.0,16]")]
    [InlineData("[0]")]
    [InlineData("[0,8,16]")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"0,16\"")]
    [InlineData("[1000,1016]")] // past the end of the data, nothing before it
    public void MF27_offsets_that_are_none(string offsets) => Assert.Equal("t", RefusedHeader("InvalidOffset", Entry(offsets: offsets), 16).Tensor);

    [Fact]
    public void MF28_overlapping_tensors() =>
        RefusedHeader("InvalidOffset", "{" + string.Join(',', Enumerable.Range(0, 10).Select(i => $$"""    "t{{i}}":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}""")) + "}", 16, "overlap");

    [Fact]
    public void MF29_a_hundred_thousand_overlapping_tensors_cost_their_header_and_no_more() =>
        RefusedHeader("InvalidOffset", "{" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $$"""    "t{{i}}":{"dtype":"F32","shape":[200,200],"data_offsets":[0,160000]}""")) + "}", 160_000, "overlap");

    [Fact]
    public void MF30_ten_million_entries_are_above_the_cap()
    {
        var path = _folder.Write("m.safetensors", Bytes.File(620_000_000, []));
        using (var stream = File.OpenWrite(path))
        {
            stream.SetLength(630_000_000);
        }

        Assert.Equal("HeaderTooLarge", Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(path)).Code);
    }

    [Fact]
    public void MF31_hole_between_tensors() =>
        RefusedHeader("InvalidOffset", """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""", 3, "hole");

    [Fact]
    public void MF32_trailing_bytes() => Refused("IncompleteBuffer", [.. Bytes.File(One, 16), .. "extra_bogus_data_for_polyglot_file"u8], "trailing=34");

    [Fact]
    public void MF33_the_last_two_bytes_are_missing()
    {
        var whole = Bytes.File(One, 16);
        Refused("IncompleteBuffer", whole[..^2], $"truncated: expected {whole.Length} bytes, have {whole.Length - 2}");
    }

    [Fact]
    public void MF34_a_dimension_of_zero()
    {
        using var file = Open(Bytes.File("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"F32","shape":[2,0],"data_offsets":[1,1]}}""", 1));
        Assert.Equal(0, file.View(1).ElementCount);
    }

    [Fact]
    public void MF35_a_scalar()
    {
        using var file = Open(Bytes.File(Entry(shape: "[]", offsets: "[0,4]"), 4));
        Assert.Equal((0, 1L), (file.View(0).Shape.Length, file.View(0).ElementCount));
    }

    [Fact]
    public void MF36_a_header_in_another_order_than_the_data()
    {
        using var file = Open(Bytes.File("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"z":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"""u8, [7, 8, 9]));
        Assert.True(file.TryFind("a", out var a) && file.TryFind("b", out var b) && file.View(b).Bytes.SequenceEqual<byte>([7, 8]));
        Assert.Equal(9, file.View(a).Bytes[0]);
    }

    [Fact]
    public void MF37_four_bit_elements_that_do_not_fill_bytes() => RefusedHeader("Misaligned", Entry("\"F4\"", "[3]", "[0,2]"), 2);

    [Fact]
    public void MF38_data_that_is_not_aligned_says_so()
    {
        const string header = """{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}""";
        using var file = Open(Bytes.File(header.PadRight((header.Length + 7) / 8 * 8), 5));
        Assert.True(file.View(0).IsAligned);
        Assert.False(file.View(1).IsAligned);
        Assert.Equal(0, file.View(1).Bytes[3]);
    }

    [Fact]
    public void MF39_tensors_above_two_gibibytes_are_reached_by_offset()
    {
        var (header, length) = Bytes.Header("BF16", 2, ("big", [2_700_000_000]), ("last", [4]));
        var path = _folder.Write("m.safetensors", Bytes.File(header));
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write))
        {
            stream.SetLength(8 + header.Length + length);
            stream.Position = stream.Length - 1;
            stream.WriteByte(42);
        }

        using var file = SafetensorsFile.Open(path);
        Assert.True(file.TryFind("last", out var index));
        Assert.Equal(42, file.View(index).Bytes[7]);
        Assert.Equal((2_700_000_000, 5_400_000_000), (file.View(0).ElementCount, file.View(0).ByteLength));
        Assert.Equal(0, file.View(0).Address[5_399_999_999]);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("a\\u0000b")]
    [InlineData("\\u202egnp.exe")]
    [InlineData("")]
    [InlineData("\\ud83d\\ude00")]
    public void MF40_names_are_opaque(string name)
    {
        using var file = Open(Bytes.Tensors((name, [1])));
        var error = Assert.Throws<ModelFormatException>(() => SafetensorsHeader.Parse(Encoding.UTF8.GetBytes(Bytes.Header("F32", 4, (name, [1])).Json), 0, "m.safetensors"));
        Assert.DoesNotContain('\0', error.Message);
        Assert.DoesNotContain('\u202e', error.Message);
        Assert.Equal(1, file.Entries.Length);
    }

    [Fact]
    public void MF40_a_name_of_a_megabyte_is_opaque_and_messages_stay_short()
    {
        var name = new string('n', 1 << 20);
        using var file = Open(Bytes.Tensors((name, [1])));
        Assert.True(file.TryFind(name, out _));
        RefusedHeader("SizeMismatch", "{\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,5]}}", 5);
    }

    [Fact]
    public void MF40_half_a_surrogate_pair_is_no_name() => RefusedHeader("HeaderNotJson", """{"\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}""");

    [Theory]
    [InlineData("PK\x03\x04\x14\0\0\0\b\b\0\0", "pickle")]
    [InlineData("\x80\x02}q\0(X\x05\0\0\0model", "pickle")]
    [InlineData("GGUF\x03\0\0\0\x10\0\0\0\0\0\0\0", "GGUF")]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n", "git-lfs")]
    [InlineData("<!DOCTYPE html>\n<html><body>404</body></html>", "HTML")]
    [InlineData("\n<html lang=en>", "HTML")]
    [InlineData("<?xml version='1.0'?><Error/>", "HTML or XML")]
    [InlineData("{\"error\":\"Repository not found\"}", "JSON")]
    public void MF41_files_of_other_kinds_are_named(string text, string kind) => Refused("NotSafetensors", Encoding.Latin1.GetBytes(text), kind);

    [Fact]
    public void MF43_a_file_that_was_cut_or_rewritten_while_open_is_noticed()
    {
        var path = _folder.Write("m.safetensors", Bytes.File(One, 16));
        using (var file = SafetensorsFile.Open(path))
        {
            file.RequireUnchanged();
            Shell($"truncate -s -8 '{path}'");
            Assert.Equal("FileChanged", Assert.Throws<ModelFormatException>(file.RequireUnchanged).Code);
        }

        _folder.Write("m.safetensors", Bytes.File(One, 16));
        using (var file = SafetensorsFile.Open(path))
        {
            Shell($"touch -d '2001-01-01' '{path}'");
            Assert.Equal("FileChanged", Assert.Throws<ModelFormatException>(file.RequireUnchanged).Code);
        }
    }

    [Fact]
    public void MF44_a_pipe_is_refused_without_blocking()
    {
        Shell($"mkfifo '{_folder.File("m.safetensors")}'");
        Assert.Equal("NotRegularFile", Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(_folder.File("m.safetensors"))).Code);
    }

    [Fact]
    public void MF44_a_device_a_socket_a_folder_and_a_dangling_link_are_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "devices and links of Linux");
        Directory.CreateDirectory(_folder.File("d.safetensors"));
        File.CreateSymbolicLink(_folder.File("l.safetensors"), "nowhere");
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(_folder.File("s.safetensors")));
        foreach (var path in new[] { "/dev/zero", "/dev/null", _folder.File("d.safetensors"), _folder.File("l.safetensors"), _folder.File("s.safetensors") })
        {
            Assert.Equal("NotRegularFile", Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(path)).Code);
        }
    }

    [Theory]
    [InlineData("F64", DType.F64, new byte[] { 0, 0, 0, 0, 0, 0, 0xF0, 0x7F })]
    [InlineData("F32", DType.F32, new byte[] { 0, 0, 0x80, 0xFF })]
    [InlineData("F16", DType.F16, new byte[] { 1, 0x7C })]
    [InlineData("BF16", DType.BF16, new byte[] { 0x80, 0x7F })]
    [InlineData("F8_E4M3", DType.F8E4M3, new byte[] { 0xFF })]
    [InlineData("F8_E5M2", DType.F8E5M2, new byte[] { 0x7C })]
    public void MF45_values_are_not_judged_unless_asked(string name, DType type, byte[] value)
    {
        var whole = Bytes.Tensors(name, type.ByteSize(), ("good", [9_000]), ("bad", [9_000]));
        value.CopyTo(whole, whole.Length - (value.Length * 2_000));
        using var file = Open(whole);
        Assert.Equal(-1, FiniteCheck.FirstNonFinite(file.View(0)));
        var error = Assert.Throws<ModelFormatException>(() => FiniteCheck.Require(file.View(1)));
        Assert.Equal(("NonFinite", "bad"), (error.Code, error.Tensor));
        Assert.Contains("element 7000 of 9000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_view_of_a_disposed_file_is_refused()
    {
        var file = Open(Bytes.File(One, 16));
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.View(0));
    }

    private static void Shell(string command)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs a POSIX shell");
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]))!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
