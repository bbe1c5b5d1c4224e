using System.Text.Json;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Finds what a schema's references name, within the document: nothing is ever fetched.</summary>
internal sealed class SchemaIndex
{
    private const int MaxDepth = 128;
    private static readonly Uri s_base = new("kvprefetch:///schema");

    private readonly Dictionary<string, SchemaNode> _named = new(StringComparer.Ordinal);

    public SchemaIndex(JsonElement root)
    {
        Draft = DraftOf(root);
        Root = new SchemaNode(root, "", s_base);
        _named[s_base.AbsoluteUri] = Root;
        Root = Visit(Root, 0);
        _named.TryAdd(s_base.AbsoluteUri, Root);
    }

    /// <summary>4, 6, 7, 2019 or 2020.</summary>
    public int Draft { get; }

    public SchemaNode Root { get; }

    private string IdName => Draft < 6 ? "id" : "$id";

    public SchemaNode Resolve(SchemaNode from, string reference)
    {
        var node = WithOwnBase(from, ignoreBesideRef: true);
        Uri target;
        try
        {
            target = new Uri(node.Base, reference);
        }
        catch (UriFormatException)
        {
            throw GrammarErrors.Invalid($"'{GrammarErrors.Shown(reference)}' is no reference", from.Pointer + "/$ref");
        }

        var text = target.AbsoluteUri;
        var hash = text.IndexOf('#', StringComparison.Ordinal);
        var document = hash < 0 ? text : text[..hash];
        string fragment;
        try
        {
            fragment = hash < 0 ? "" : Uri.UnescapeDataString(text[(hash + 1)..]);
        }
        catch (UriFormatException)
        {
            fragment = text[(hash + 1)..];
        }

        if (fragment.Length > 0 && fragment[0] != '/')
        {
            return _named.TryGetValue(document + "#" + fragment, out var anchor) ? anchor : throw NotFound(from, reference);
        }

        if (!_named.TryGetValue(document, out var found))
        {
            throw NotFound(from, reference);
        }

        foreach (var step in fragment.Length == 0 ? [] : fragment[1..].Split('/'))
        {
            var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            var next = found.Element.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index)
                ? found.Items().ElementAtOrDefault(index)
                : found.Member(name);
            found = next is null ? throw NotFound(from, reference) : WithOwnBase(next, ignoreBesideRef: true);
        }

        return found;
    }

    /// <summary>The node with the base that its own id gives it.</summary>
    private SchemaNode WithOwnBase(SchemaNode node, bool ignoreBesideRef)
    {
        if (node.Element.ValueKind != JsonValueKind.Object || !node.Element.TryGetProperty(IdName, out var id) || id.ValueKind != JsonValueKind.String
            || (ignoreBesideRef && Draft < 2019 && node.Element.TryGetProperty("$ref", out _)))
        {
            return node;
        }

        try
        {
            var uri = new Uri(node.Base, id.GetString()!);
            return uri.Fragment.Length > 1 ? node : node with { Base = new Uri(uri.GetLeftPart(UriPartial.Query)) };
        }
        catch (Exception e) when (e is UriFormatException or InvalidOperationException)
        {
            return node;
        }
    }

    /// <summary>Registers ids and anchors in everything that is a schema.</summary>
    private SchemaNode Visit(SchemaNode node, int depth)
    {
        Deep.Check();
        if (depth > MaxDepth)
        {
            throw GrammarErrors.Limit($"The schema is nested more than {MaxDepth} deep", node.Pointer);
        }

        if (node.Element.ValueKind != JsonValueKind.Object)
        {
            return node;
        }

        var own = WithOwnBase(node, ignoreBesideRef: true);
        if (!ReferenceEquals(own, node))
        {
            _named.TryAdd(own.Base.AbsoluteUri, own);
        }
        else if (Draft < 2019 && node.Element.TryGetProperty(IdName, out var id) && id.ValueKind == JsonValueKind.String && id.GetString() is ['#', _, ..] anchor)
        {
            _named.TryAdd(Document(own.Base) + anchor, own);
        }

        if (node.Element.TryGetProperty("$anchor", out var plain) && plain.ValueKind == JsonValueKind.String)
        {
            _named.TryAdd(Document(own.Base) + "#" + plain.GetString(), own);
        }

        foreach (var member in own.Element.EnumerateObject())
        {
            var value = own.Member(member.Name)!;
            switch (member.Name)
            {
                case "properties" or "patternProperties" or "definitions" or "$defs" or "dependentSchemas" or "dependencies" when member.Value.ValueKind == JsonValueKind.Object:
                    foreach (var (_, inner) in value.Members())
                    {
                        Visit(inner, depth + 1);
                    }

                    break;
                case "items" or "prefixItems" or "additionalItems" or "contains" or "unevaluatedItems" or "additionalProperties" or "propertyNames" or "unevaluatedProperties"
                    or "allOf" or "anyOf" or "oneOf" or "not" or "if" or "then" or "else" or "contentSchema":
                    if (member.Value.ValueKind == JsonValueKind.Array)
                    {
                        foreach (var item in value.Items())
                        {
                            Visit(item, depth + 1);
                        }
                    }
                    else
                    {
                        Visit(value, depth + 1);
                    }

                    break;
            }
        }

        return own;
    }

    private static string Document(Uri uri) => uri.AbsoluteUri.Split('#')[0];

    private static int DraftOf(JsonElement root)
    {
        var text = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("$schema", out var schema) && schema.ValueKind == JsonValueKind.String ? schema.GetString()! : "";
        foreach (var (name, draft) in (ReadOnlySpan<(string, int)>)[("draft-03", 4), ("draft-04", 4), ("draft-06", 6), ("draft-07", 7), ("2019-09", 2019), ("2020-12", 2020)])
        {
            if (text.Contains(name, StringComparison.Ordinal))
            {
                return draft;
            }
        }

        return 2020;
    }

    private static GrammarException NotFound(SchemaNode from, string reference)
        => GrammarErrors.Unsupported($"The reference '{GrammarErrors.Shown(reference)}' names nothing in the schema; other documents are never fetched", from.Pointer + "/$ref");
}
