using System.Globalization;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>A piece of a schema and where it stands.</summary>
/// <param name="Element">The JSON.</param>
/// <param name="Pointer">JSON pointer from the root of the document.</param>
/// <param name="Base">URI that references in it are relative to.</param>
internal sealed record SchemaNode(JsonElement Element, string Pointer, Uri Base)
{
    public bool Has(string name) => Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out _);

    /// <summary>A member as it is; its own <c>$id</c> counts when it is compiled or resolved.</summary>
    public SchemaNode? Member(string name)
        => Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(name, out var value) ? Below(value, name) : null;

    public IEnumerable<(string Name, SchemaNode Node)> Members()
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw GrammarErrors.Invalid("An object is needed", Pointer);
        }

        foreach (var member in Element.EnumerateObject())
        {
            yield return (member.Name, Below(member.Value, member.Name));
        }
    }

    public IEnumerable<SchemaNode> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw GrammarErrors.Invalid("An array is needed", Pointer);
        }

        var i = 0;
        foreach (var item in Element.EnumerateArray())
        {
            yield return Below(item, (i++).ToString(CultureInfo.InvariantCulture));
        }
    }

    public string? Text(string name)
    {
        if (Member(name) is not { } node)
        {
            return null;
        }

        return node.Element.ValueKind == JsonValueKind.String ? node.StringValue() : throw GrammarErrors.Invalid($"{name} is a string", node.Pointer);
    }

    /// <summary>Its text; lone surrogates are refused.</summary>
    public string StringValue()
    {
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw GrammarErrors.Unsupported("The text has a lone surrogate, which is not supported", Pointer);
        }
    }

    /// <summary>A count: an integer from zero, however written.</summary>
    public int? Count(string name)
    {
        if (Member(name) is not { } node)
        {
            return null;
        }

        if (node.Element.ValueKind != JsonValueKind.Number || Decimal10.Parse(node.Element.GetRawText()) is not { Negative: false, IsInteger: true } number)
        {
            throw GrammarErrors.Invalid($"{name} is an integer from zero", node.Pointer);
        }

        return number.Whole.Length > 9 ? int.MaxValue - 2 : int.Parse(number.Whole, CultureInfo.InvariantCulture);
    }

    public Decimal10? Number(string name)
    {
        if (Member(name) is not { } node)
        {
            return null;
        }

        if (node.Element.ValueKind != JsonValueKind.Number)
        {
            throw GrammarErrors.Invalid($"{name} is a number", node.Pointer);
        }

        return Decimal10.Parse(node.Element.GetRawText()) ?? throw GrammarErrors.Limit($"{name} has too many digits", node.Pointer);
    }

    private SchemaNode Below(JsonElement value, string name)
        => this with { Element = value, Pointer = Pointer + "/" + name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal) };
}
