using KvPrefetch.AI;
using Microsoft.Extensions.Options;

namespace KvPrefetch.Tests.Provider;

public sealed class OptionsTests
{
    private static string Message(KvPrefetchOptions options) => Assert.Throws<OptionsValidationException>(() => KvPrefetchOptionsValidator.ThrowIfInvalid(options)).Message;

    [Fact]
    public void A_folder_is_all_that_must_be_given()
    {
        using var model = TinyModel.Create();
        KvPrefetchOptionsValidator.ThrowIfInvalid(new() { Model = model.Path });
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public void A_model_that_is_not_set_is_asked_for(string model) => Assert.Contains("Model: not set; give the path of a Hugging Face folder", Message(new() { Model = model }), StringComparison.Ordinal);

    [Fact]
    public void A_path_without_a_model_says_what_is_wrong_with_it()
    {
        using var model = TinyModel.Create();
        Assert.Contains("is not a folder; give the path", Message(new() { Model = Path.Combine(model.Path, "missing") }), StringComparison.Ordinal);
        File.Delete(Path.Combine(model.Path, "config.json"));
        Assert.Contains("has no config.json; give the path", Message(new() { Model = model.Path }), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_wrong_number_is_named_with_its_value_and_limits()
    {
        using var model = TinyModel.Create();
        var message = Message(new()
        {
            Model = model.Path,
            ModelId = " ",
            Threads = -1,
            ContextLength = -2,
            KvCacheBytes = -3,
            MaxBatchSequences = 0,
            MaxBatchTokens = 0,
            MaxQueue = -4,
            WarmUp = (WarmUpMode)9,
        });
        string[] expected =
        [
            "Threads: -1 is out of range; set it to 0 .. 1024", "ContextLength: -2 is out of range; set it to 0 .. 2147483647", "KvCacheBytes: -3 is out of range; set it to 0 .. 9223372036854775807",
            "MaxBatchSequences: 0 is out of range; set it to 1 .. 4096", "MaxBatchTokens: 0 is out of range; set it to 1 .. 65536", "MaxQueue: -4 is out of range; set it to 0 .. 1048576",
        ];
        Assert.All(expected, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    [Fact]
    public void A_blank_model_id_and_an_unknown_warm_up_are_named()
    {
        using var model = TinyModel.Create();
        var message = Message(new() { Model = model.Path, ModelId = " ", WarmUp = (WarmUpMode)9 });
        Assert.Contains("ModelId: blank", message, StringComparison.Ordinal);
        Assert.Contains("WarmUp: 9 is unknown; set it to BeforeStart, Background, FirstRequest", message, StringComparison.Ordinal);
    }
}
