using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Short ways to grammars and what they accept.</summary>
internal static class Schemas
{
    public static Grammar Compile(string schema, JsonSchemaOptions? options = null)
    {
        using var json = JsonDocument.Parse(schema, new JsonDocumentOptions { MaxDepth = 20_000 });
        return Grammar.FromJsonSchema(json.RootElement, options);
    }

    public static bool Accepts(string schema, string text) => Accepts(Compile(schema), text);

    public static bool Accepts(Grammar grammar, string text) => grammar.Accepts(Encoding.UTF8.GetBytes(text));

    public static GrammarException Refused(Action action)
    {
        var error = Assert.Throws<GrammarException>(action);
        Assert.Equal("Grammar" + error.Reason, error.Code);
        return error;
    }
}
