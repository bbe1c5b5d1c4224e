using System.Text.Json;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>What <c>unevaluatedProperties</c> and <c>unevaluatedItems</c> leave over, where that depends on the schemas alone and not on which of them a value is valid under.</summary>
internal sealed class Unevaluated
{
    private Unevaluated(SchemaNode schema) => Schema = schema;

    /// <summary>What the rest must be.</summary>
    public SchemaNode Schema { get; }

    public List<string> Names { get; } = [];

    public List<string> Patterns { get; } = [];

    /// <summary>Null where the schema has none, or it says nothing.</summary>
    public static Unevaluated? Properties(SchemaIndex index, SchemaNode node)
    {
        if (index.Draft < 2019 || node.Member("unevaluatedProperties") is not { } schema || SaysNothing(schema) || node.Has("additionalProperties"))
        {
            return null;
        }

        var found = new Unevaluated(schema);
        // Where a schema beside it looks at all keys, nothing is left over.
        return found.Collect(index, node, isOwn: true, 0) ? found : null;
    }

    /// <summary>The schema of items that are left over, or null.</summary>
    public static SchemaNode? Items(SchemaIndex index, SchemaNode node)
    {
        if (index.Draft < 2019 || node.Member("unevaluatedItems") is not { } schema || SaysNothing(schema) || node.Has("items"))
        {
            return null;
        }

        foreach (var name in (ReadOnlySpan<string>)["$ref", "allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "contains"])
        {
            if (node.Has(name))
            {
                throw GrammarErrors.Unsupported($"unevaluatedItems beside {name} is not supported", schema.Pointer);
            }
        }

        return schema;
    }

    /// <summary>False where all keys are looked at.</summary>
    private bool Collect(SchemaIndex index, SchemaNode node, bool isOwn, int depth)
    {
        Deep.Check();
        if (depth > 64)
        {
            throw GrammarErrors.Limit("Schemas beside unevaluatedProperties are nested more than 64 deep", Schema.Pointer);
        }

        if (node.Element.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        if (!isOwn)
        {
            if (node.Has("additionalProperties") || node.Has("unevaluatedProperties"))
            {
                return false;
            }

            Names.AddRange(node.Member("properties")?.Members().Select(m => m.Name) ?? []);
            Patterns.AddRange(node.Member("patternProperties")?.Members().Select(m => m.Name) ?? []);
        }

        foreach (var name in (ReadOnlySpan<string>)["anyOf", "oneOf", "if", "dependentSchemas"])
        {
            if (node.Has(name))
            {
                throw GrammarErrors.Unsupported($"unevaluatedProperties beside {name} is not supported", Schema.Pointer);
            }
        }

        if (node.Text("$ref") is { } reference && !Collect(index, index.Resolve(node, reference), isOwn: false, depth + 1))
        {
            return false;
        }

        foreach (var part in node.Member("allOf")?.Items() ?? [])
        {
            if (!Collect(index, part, isOwn: false, depth + 1))
            {
                return false;
            }
        }

        return true;
    }

    private static bool SaysNothing(SchemaNode schema)
        => schema.Element.ValueKind == JsonValueKind.True || (schema.Element.ValueKind == JsonValueKind.Object && !schema.Element.EnumerateObject().Any());
}
