using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Rows MC07 to MC09 and MC16: every tensor of the model bound once, nothing left over.</summary>
public sealed class WeightBinderTests : IDisposable
{
    private readonly TempFolder _temp = new();
    private readonly List<string> _log = [];
    private Checkpoint? _checkpoint;

    public void Dispose()
    {
        _checkpoint?.Dispose();
        _temp.Dispose();
    }

    private WeightBinder Binder(string prefix, params (string Name, long[] Shape)[] tensors)
    {
        _temp.Write("model.safetensors", Bytes.Tensors(tensors));
        _checkpoint = Checkpoint.Open(new ModelFolder(_temp.Path));
        return new WeightBinder(_checkpoint, prefix, _log.Add);
    }

    [Fact]
    public void Everything_bound_once_is_complete()
    {
        var binder = Binder("", ("embed", [4, 2]), ("layers.0.norm", [2]), ("layers.1.norm", [2]));
        Assert.Equal(8, binder.Bind("embed", 4, 2).ElementCount);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal($"layers.{i}.norm", binder.Scope("layers.").Scope($"{i}.").Bind("norm", 2).Name);
        }

        binder.Complete();
        Assert.Empty(_log);
    }

    [Fact]
    public void A_prefix_serves_the_language_model_inside_a_larger_one()
    {
        var binder = Binder("model.language_model.", ("model.language_model.norm", [2]), ("model.vision.norm", [2]), ("model.vision.bias", [2]));
        binder.Bind("norm", 2);
        binder.IgnorePrefix("model.vision.");
        binder.Complete();
        Assert.Contains("2 tensors", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public void MC07_missing_and_left_over_tensors_are_all_named()
    {
        var binder = Binder("", [("extra", [1]), .. Enumerable.Range(0, 10).Select(i => ($"layers.{i}.k_proj.weight", new long[] { 2, 2 }))]);
        for (var i = 0; i < 40; i++)
        {
            Assert.Equal(i < 10, binder.Bind($"layers.{i}.k_proj.weight", 2, 2).Exists);
        }

        var error = Assert.Throws<ModelIncompleteException>(binder.Complete);
        Assert.Equal(Enumerable.Range(10, 30).Select(i => $"layers.{i}.k_proj.weight"), error.Missing);
        Assert.Equal(["extra"], error.Unexpected);
        Assert.Contains("30 tensors missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("and 10 more", error.Message, StringComparison.Ordinal);
        Assert.Contains("'extra'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC08_a_tied_head_may_be_absent_an_untied_one_may_not()
    {
        var binder = Binder("", ("embed", [4, 2]));
        var embed = binder.Bind("embed", 4, 2);
        Assert.False(binder.TryBind("lm_head.weight", out _, 4, 2)); // tied: the family goes on with the embedding
        binder.Complete();
        Assert.True(embed.Exists);
        binder.Bind("lm_head.weight", 4, 2); // untied
        Assert.Equal(["lm_head.weight"], Assert.Throws<ModelIncompleteException>(binder.Complete).Missing);
    }

    [Theory]
    [InlineData(new long[] { 2048 })]
    [InlineData(new long[] { 4096, 1 })]
    [InlineData(new long[] { })]
    public void MC09_MC16_a_shape_that_contradicts_the_config_is_refused_at_once(long[] stored)
    {
        var binder = Binder("", ("model.norm.weight", stored));
        var error = Assert.Throws<ModelFormatException>(() => binder.Bind("model.norm.weight", 4096));
        Assert.Equal(("ShapeMismatch", "model.norm.weight", "model.safetensors"), (error.Code, error.Tensor, error.File));
        Assert.Contains($"[{string.Join(", ", stored)}]", error.Message, StringComparison.Ordinal);
        Assert.Contains("[4096]", error.Message, StringComparison.Ordinal);
        Assert.Throws<ModelFormatException>(() => binder.TryBind("model.norm.weight", out _, 4096));
    }

    [Fact]
    public void A_tensor_asked_for_twice_is_an_error()
    {
        var binder = Binder("", ("a", [2]));
        binder.Bind("a", 2);
        binder.TryBind("a", out _, 2);
        var error = Assert.Throws<ModelFormatException>(binder.Complete);
        Assert.Equal(("BoundTwice", "a"), (error.Code, error.Tensor));
    }

    [Fact]
    public void What_a_family_leaves_alone_is_one_line_in_the_log()
    {
        var binder = Binder("", ("a", [2]), ("l.0.rotary_emb.inv_freq", [2]), ("l.1.rotary_emb.inv_freq", [2]), ("b", [2]));
        binder.Bind("a", 2);
        binder.IgnoreSuffix(".rotary_emb.inv_freq");
        Assert.Equal(["b"], Assert.Throws<ModelIncompleteException>(binder.Complete).Unexpected);
        binder.Ignore(n => n is "b");
        binder.Complete();
        Assert.Contains("3 tensors of the checkpoint are not used", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public void MF43_a_file_that_was_changed_while_binding_is_noticed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "other systems refuse to write to an open file");
        var binder = Binder("", ("a", [2]));
        binder.Bind("a", 2);
        using (var process = System.Diagnostics.Process.Start("truncate", ["-s", "+8", _temp.File("model.safetensors")]))
        {
            process.WaitForExit();
        }

        Assert.Equal("FileChanged", Assert.Throws<ModelFormatException>(binder.Complete).Code);
    }
}
