using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Turns the caller's JSON into values. Every string and number in it is content.</summary>
internal sealed class JsonInput
{
    /// <summary>Lists and objects inside each other.</summary>
    private const int MaxDepth = 64;

    private const int MaxNodes = 1_000_000;
    private const int MaxDigits = 4_300;

    private int nodes;

    /// <summary>UTF-16 units of all strings read so far.</summary>
    public long Chars { get; private set; }

    public Value Read(string what, JsonNode? node)
    {
        try
        {
            return Read(what, node, 0);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or JsonException or FormatException or NotSupportedException)
        {
            throw new ChatTemplateException(ChatTemplateError.Raised, $"{what}: not valid JSON: {Shorten.Text(e.Message)}", inner: e);
        }
    }

    private Value Read(string what, JsonNode? node, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Limit(what, "depth", MaxDepth);
        }

        if (++nodes > MaxNodes)
        {
            throw Limit(what, "number of values", MaxNodes);
        }

        switch (node)
        {
            case null:
                return NoneValue.Instance;
            case JsonArray array:
                var list = new List<Value>(array.Count);
                foreach (var item in array)
                {
                    list.Add(Read(what, item, depth + 1));
                }

                return new ListValue(list);
            case JsonObject members:
                var dict = new DictValue();
                foreach (var (key, item) in members)
                {
                    dict.Items[Text(key)] = Read(what, item, depth + 1);
                }

                return dict;
            default:
                return ReadScalar(what, node);
        }
    }

    private Value ReadScalar(string what, JsonNode node)
    {
        switch (node.GetValueKind())
        {
            case JsonValueKind.String:
                // A value made from a char, a date or the like is written as JSON would.
                return Text(node.AsValue().TryGetValue<string>(out var text) ? text : JsonSerializerText(node));
            case JsonValueKind.True or JsonValueKind.False:
                return BoolValue.Of(node.GetValueKind() == JsonValueKind.True);
            case JsonValueKind.Number:
                return Number(what, node.ToJsonString());
            case JsonValueKind.Null or JsonValueKind.Undefined:
                return NoneValue.Instance;
            default:
                throw new ChatTemplateException(ChatTemplateError.Raised, $"{what}: a value is no JSON");
        }
    }

    private static string JsonSerializerText(JsonNode node)
    {
        using var document = JsonDocument.Parse(node.ToJsonString());
        return document.RootElement.GetString() ?? "";
    }

    private StringValue Text(string text)
    {
        Chars += text.Length;
        return new StringValue(text, Provenance.Content);
    }

    private static Value Number(string what, string text)
    {
        if (text.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
        {
            return new FloatValue(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture), Provenance.Content);
        }

        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
        {
            return new IntValue(number, Provenance.Content);
        }

        return text.Length <= MaxDigits
            ? new BigIntValue(BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))
            : throw Limit(what, "digits of a number", MaxDigits);
    }

    private static ChatTemplateException Limit(string what, string measure, int limit)
        => new(ChatTemplateError.Limit, $"{what}: limit exceeded: {measure}; the limit is {limit}");
}
