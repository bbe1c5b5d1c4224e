using System.Diagnostics;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

public sealed class ModelFolderTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    private static string CodeOf(Action action) => Assert.Throws<ModelFormatException>(action).Code;

    [Theory]
    [InlineData("")]
    [InlineData("nowhere")]
    [InlineData("a\0b")]
    public void A_folder_that_is_not_there_is_a_typed_error(string path) => Assert.Equal("FolderNotFound", CodeOf(() => _ = new ModelFolder(path)));

    [Fact]
    public void A_file_is_no_folder() => Assert.Equal("NotAFolder", CodeOf(() => _ = new ModelFolder(_temp.Write("model.gguf", "x"))));

    [Fact]
    public void The_name_is_the_last_part_of_the_path()
    {
        Directory.CreateDirectory(_temp.File("Some-Model"));
        Assert.Equal("Some-Model", new ModelFolder(_temp.File("Some-Model")).Name);
        Assert.Equal("Some-Model", new ModelFolder(_temp.File("Some-Model") + Path.DirectorySeparatorChar).Name);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("C:\\x.safetensors")]
    [InlineData("C:x")]
    [InlineData("\\\\host\\s")]
    [InlineData("\\x")]
    [InlineData("a/../../b")]
    [InlineData("a\\..\\b")]
    [InlineData("a/b")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("CON")]
    [InlineData("con.safetensors")]
    [InlineData("nul .txt")]
    [InlineData("COM1.safetensors")]
    [InlineData("lpt\u00b9")]
    [InlineData("conin$")]
    [InlineData("model.safetensors.")]
    [InlineData("model.safetensors ")]
    [InlineData("model.safetensors:stream")]
    [InlineData("*")]
    public void MC01_names_that_leave_the_folder_on_any_system_are_refused(string name)
    {
        var folder = new ModelFolder(_temp.Path);
        Assert.Equal("PathEscape", CodeOf(() => folder.PathOf(name)));
        Assert.Equal("PathEscape", CodeOf(() => folder.ReadText(name, 100)));
    }

    [Theory]
    [InlineData("model-00001-of-00002.safetensors")]
    [InlineData("console.txt")]
    [InlineData("com.txt")]
    [InlineData("com10")]
    [InlineData("nullable.json")]
    [InlineData(".gitattributes")]
    [InlineData("..a")]
    [InlineData("モデル.safetensors")]
    public void Plain_names_are_accepted(string name)
    {
        var folder = new ModelFolder(_temp.Path);
        Assert.Null(folder.PathOf(name));
        _temp.Write(name, "text");
        Assert.Equal("text", folder.ReadText(name, 100));
    }

    [Fact]
    public void Text_is_utf8_with_or_without_a_mark_and_never_longer_than_asked()
    {
        var folder = new ModelFolder(_temp.Path);
        _temp.Write("a", "\uFEFFé");
        _temp.Write("b", [(byte)'a', 0xC3, (byte)'b']);
        _temp.Write("empty", "");
        Assert.Equal("é", folder.ReadText("a", 5));
        Assert.Equal("FileTooLarge", CodeOf(() => folder.ReadText("a", 4)));
        Assert.Equal("NotUtf8", CodeOf(() => folder.ReadText("b", 100)));
        Assert.Equal("", folder.ReadText("empty", 100));
        Assert.Null(folder.ReadText("c", 100));
    }

    [Fact]
    public void Links_may_point_inside_the_folder_only()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege on Windows");
        var folder = new ModelFolder(Directory.CreateDirectory(_temp.File("model")).FullName);
        _temp.Write("model/real", "r");
        _temp.Write("outside", "o");
        _temp.Write("model2/sibling", "s");
        void Link(string name, string target) => File.CreateSymbolicLink(_temp.File("model/" + name), target);
        Link("inside", "real");
        Link("twice", "inside");
        Link("there-and-back", "../model/real");
        Link("escape", "../outside");
        Link("absolute", "/etc/passwd");
        Link("device", "/dev/zero");
        Link("prefix", "../model2/sibling");
        Link("through", "folder/../../outside");
        Directory.CreateSymbolicLink(_temp.File("model/folder"), "../model2");
        Link("dangling", "nothing");
        Link("circle", "circle");
        foreach (var good in new[] { "inside", "twice", "there-and-back" })
        {
            Assert.Equal("r", folder.ReadText(good, 10));
        }

        foreach (var bad in new[] { "escape", "absolute", "device", "prefix", "through", "folder" })
        {
            Assert.Equal((bad, "PathEscape"), (bad, CodeOf(() => folder.ReadText(bad, 10))));
        }

        foreach (var bad in new[] { "dangling", "circle" })
        {
            Assert.Equal((bad, "NotRegularFile"), (bad, CodeOf(() => folder.ReadText(bad, 10))));
        }
    }

    [Fact]
    public void A_snapshot_of_the_hugging_face_cache_is_a_model_folder()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege on Windows");
        const string repository = "models--HuggingFaceTB--SmolLM2-135M-Instruct";
        _temp.Write(repository + "/blobs/abc", "blob");
        _temp.Write(repository + "/refs/main", "f00");
        _temp.Write("models--other--model/blobs/abc", "other");
        var snapshot = Directory.CreateDirectory(_temp.File(repository + "/snapshots/f00")).FullName;
        File.CreateSymbolicLink(Path.Combine(snapshot, "config.json"), "../../blobs/abc");
        File.CreateSymbolicLink(Path.Combine(snapshot, "ref"), "../../refs/main");
        File.CreateSymbolicLink(Path.Combine(snapshot, "foreign"), "../../../models--other--model/blobs/abc");
        Directory.CreateSymbolicLink(_temp.File("shortcut"), snapshot);
        foreach (var path in new[] { snapshot, _temp.File("shortcut") })
        {
            var folder = new ModelFolder(path);
            Assert.Equal("HuggingFaceTB/SmolLM2-135M-Instruct", folder.Name);
            Assert.Equal("blob", folder.ReadText("config.json", 10));
            Assert.Equal("PathEscape", CodeOf(() => folder.ReadText("ref", 10)));
            Assert.Equal("PathEscape", CodeOf(() => folder.ReadText("foreign", 10)));
        }
    }

    [Fact]
    public void A_pipe_or_a_folder_in_place_of_a_file_is_refused_without_blocking()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs mkfifo");
        using (var process = Process.Start("mkfifo", _temp.File("config.json")))
        {
            process.WaitForExit();
        }

        Directory.CreateDirectory(_temp.File("generation_config.json"));
        var folder = new ModelFolder(_temp.Path);
        Assert.Equal("NotRegularFile", CodeOf(() => HfConfig.Load(folder)));
        Assert.Equal("NotRegularFile", CodeOf(() => GenerationConfig.Load(folder, 10)));
    }
}
