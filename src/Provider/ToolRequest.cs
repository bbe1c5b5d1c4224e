using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>Whether an answer may, must or must not call functions.</summary>
internal enum ToolUse
{
    Auto,
    None,
    Required,
}

/// <summary>What ChatOptions says of tools, checked. Kinds of tools that are no functions are ignored.</summary>
/// <param name="Declarations">In OpenAI's function form, as templates read them; null where there are no functions.</param>
/// <param name="Tools">The functions by name.</param>
/// <param name="Use">Whether they are called.</param>
/// <param name="Required">The one function that must be called; null for any.</param>
/// <param name="Multiple">More calls than one are allowed.</param>
/// <param name="Strict">Functions whose schema must be enforced to the letter; of the others it may be loosened where it cannot be.</param>
internal sealed record ToolRequest(JsonArray? Declarations, ToolSet Tools, ToolUse Use, string? Required, bool Multiple, IReadOnlySet<string> Strict)
{
    public const int MaxTools = 128;
    private const int MaxNameCharacters = 64;
    private const int MaxSchemaBytes = 256 << 10;
    private const int MaxDescriptionCharacters = 64 << 10;

    public static ToolRequest None { get; } = new(null, ToolSet.Empty, ToolUse.None, null, Multiple: true, new HashSet<string>(StringComparer.Ordinal));

    /// <exception cref="Engine.InvalidRequestException">A tool is malformed, or a mode asks for one that is not there.</exception>
    public static ToolRequest Of(ChatOptions? options)
    {
        var functions = options?.Tools?.OfType<AIFunctionDeclaration>().ToList() ?? [];
        if (functions.Count > MaxTools)
        {
            throw Refusal.Of(nameof(ChatOptions.Tools), (FormattableString)$"There are {functions.Count} tools; the limit is {MaxTools}.");
        }

        var schemas = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        var strict = new HashSet<string>(StringComparer.Ordinal);
        var declarations = new JsonArray();
        foreach (var function in functions)
        {
            Check(function, schemas);
            schemas.Add(function.Name, function.JsonSchema.Clone());
            declarations.Add((JsonNode)Declare(function));
            if (AdditionalValues.Asked(function.AdditionalProperties, "strict"))
            {
                strict.Add(function.Name);
            }
        }

        var required = (options?.ToolMode as RequiredChatToolMode)?.RequiredFunctionName;
        if (options?.ToolMode is RequiredChatToolMode && functions.Count == 0)
        {
            throw Refusal.Of(nameof(ChatOptions.ToolMode), "A tool call is required, and Tools has no function.");
        }

        if (required is not null && !schemas.ContainsKey(required))
        {
            throw Refusal.Of(nameof(ChatOptions.ToolMode), $"The function {Quoted.Text(required)} is required, and Tools does not have it.");
        }

        var use = functions.Count == 0 || options!.ToolMode is NoneChatToolMode ? ToolUse.None : options.ToolMode is RequiredChatToolMode ? ToolUse.Required : ToolUse.Auto;
        return functions.Count == 0 ? None : new ToolRequest(declarations, new ToolSet(schemas), use, required, options!.AllowMultipleToolCalls != false, strict);
    }

    private static void Check(AIFunctionDeclaration function, Dictionary<string, JsonElement> schemas)
    {
        const string Name = nameof(ChatOptions.Tools);
        var name = function.Name;
        if (name.Length is 0 or > MaxNameCharacters || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            throw Refusal.Of(Name, (FormattableString)$"A tool has the name {Quoted.Text(name)}; 1 to {MaxNameCharacters} of the letters A-Z, a-z, 0-9, '_', '-' and '.' are allowed.");
        }

        if (schemas.ContainsKey(name))
        {
            throw Refusal.Of(Name, $"Two tools have the name {Quoted.Text(name)}.");
        }

        if (function.Description?.Length > MaxDescriptionCharacters)
        {
            throw Refusal.Of(Name, (FormattableString)$"The description of tool {Quoted.Text(name)} has {function.Description.Length} characters; the limit is {MaxDescriptionCharacters}.");
        }

        var schema = function.JsonSchema;
        if (schema.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.Undefined))
        {
            throw Refusal.Of(Name, $"The schema of tool {Quoted.Text(name)} is JSON of kind {schema.ValueKind}; an object is needed.");
        }

        if (schema.ValueKind == JsonValueKind.Object && schema.GetRawText().Length > MaxSchemaBytes)
        {
            throw Refusal.Of(Name, (FormattableString)$"The schema of tool {Quoted.Text(name)} has {schema.GetRawText().Length} characters; the limit is {MaxSchemaBytes}.");
        }
    }

    private static JsonObject Declare(AIFunctionDeclaration function)
    {
        var parameters = function.JsonSchema.ValueKind == JsonValueKind.Object ? JsonObject.Create(function.JsonSchema)!.DeepClone().AsObject() : [];
        parameters.Remove("$schema");

        // Templates read both without asking.
        if (!parameters.ContainsKey("type"))
        {
            parameters["type"] = "object";
        }

        if (!parameters.ContainsKey("properties"))
        {
            parameters["properties"] = new JsonObject();
        }

        return new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = function.Name, ["description"] = function.Description ?? "", ["parameters"] = parameters },
        };
    }
}
