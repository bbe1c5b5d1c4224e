using System.Globalization;
using KvPrefetch.Engine;

namespace KvPrefetch.Samples.StreamingChat;

/// <summary>What <c>--describe</c> prints: a line for each thing found.</summary>
internal static class Description
{
    public static IEnumerable<string> Lines(ModelDescription model)
    {
        string Line(string name, string text) => $"{name,-11} {text}";

        yield return Line("model", model.Id);
        yield return Line("family", model.TextModelType == model.ModelType ? model.ModelType : $"{model.ModelType}, of which the language model {model.TextModelType}");
        yield return Line("parameters", Invariant($"{model.Parameters:N0} in {model.Tensors:N0} tensors and {model.Files} file{(model.Files == 1 ? "" : "s")}, {Bytes(model.WeightBytes)}{(model.Quantisation is null ? "" : ", " + model.Quantisation)}"));
        yield return Line("layers", Invariant($"{model.Layers.Sum(l => l.Value)}: {string.Join(", ", model.Layers.Select(l => Invariant($"{l.Value} {l.Key}")))}"));
        yield return Line("context", Invariant($"{model.MaxContextLength:N0} tokens"));
        yield return Line("kv cache", Bytes(model.KvBytesPerToken) + " per token" + (model.KvBytesPerTokenBeyondWindows == model.KvBytesPerToken ? "" : $", {Bytes(model.KvBytesPerTokenBeyondWindows)} once it has left all windows"));
        yield return Line("state", Bytes(model.StateBytesPerSequence) + " per sequence");
        yield return Line("tokenizer", model.TokenizerTokens is { } tokens ? Invariant($"{tokens:N0} tokens") : "none");
        yield return Line("template", model.HasChatTemplate ? "yes" : "none");
        var context = Math.Min(model.MaxContextLength, 4096);
        var whole = context == model.MaxContextLength ? "" : Invariant($", {Bytes(model.WeightBytes + model.SequenceBytes(model.MaxContextLength))} with one of {model.MaxContextLength:N0}");
        yield return Line("memory", Invariant($"{Bytes(model.WeightBytes + model.SequenceBytes(context))} with one sequence of {context:N0} tokens{whole}"));
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static string Bytes(long bytes)
    {
        string[] units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
        var (value, unit) = ((double)bytes, 0);
        while (value >= 1024 && unit < units.Length - 1)
        {
            (value, unit) = (value / 1024, unit + 1);
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
