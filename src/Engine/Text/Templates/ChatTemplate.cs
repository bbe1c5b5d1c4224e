using System.Text.Json.Nodes;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What a template is rendered with, besides the messages.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Tool declarations as the model's template expects them (OpenAI's function form); null when there are none.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Open the assistant's turn at the end.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Further variables the template may read, such as <c>enable_thinking</c>. They cannot take the place of messages, tools, special tokens or functions.</summary>
    public JsonObject? Variables { get; init; }

    /// <summary>Clock behind <c>strftime_now</c>; null is the system's.</summary>
    public TimeProvider? Clock { get; init; }
}

/// <summary>A model's Jinja chat template, rendered exactly as transformers does. Safe for concurrent use.</summary>
public sealed class ChatTemplate
{
    private const string Messages = "messages";
    private const string Tools = "tools";
    private const string Documents = "documents";
    private const string AddGenerationPrompt = "add_generation_prompt";

    // Names that transformers' own parameters have; a variable of the caller under one of them is a mistake or an attack.
    private static readonly string[] Reserved =
        [Messages, Tools, AddGenerationPrompt, "conversation", "chat_template", "tokenize", "continue_final_message", "return_dict", "return_tensors", "padding", "truncation", "max_length"];

    private readonly Block body;
    private readonly Block? toolBody;
    private readonly Dictionary<string, Value> specialTokens;
    private readonly Lazy<TemplateCapabilities> capabilities;
    private readonly long ownChars;

    private ChatTemplate(Block body, Block? toolBody, IReadOnlyDictionary<string, string>? specialTokens, string source)
    {
        (this.body, this.toolBody, Source) = (body, toolBody, source);
        this.specialTokens = new Dictionary<string, Value>(StringComparer.Ordinal);
        foreach (var (name, text) in specialTokens ?? new Dictionary<string, string>(StringComparer.Ordinal))
        {
            this.specialTokens[name] = new StringValue(text, Provenance.Template);
        }

        capabilities = new Lazy<TemplateCapabilities>(() => TemplateCapabilities.Of(this));
        ownChars = source.Length;
    }

    /// <summary>The Jinja source, as it was given.</summary>
    public string Source { get; }

    /// <summary>What the template does with system messages, tools and the like; found when first asked, kept.</summary>
    internal TemplateCapabilities Capabilities => capabilities.Value;

    /// <summary>Reads the folder's template: chat_template.jinja, else <c>chat_template</c> of tokenizer_config.json; null where it has none. Where there are several by name,
    /// <c>default</c> is rendered, and <c>tool_use</c> when tools are given. Special tokens come from tokenizer_config.json and special_tokens_map.json.</summary>
    /// <exception cref="ChatTemplateException">A file or the template is malformed, or of several templates none is called <c>default</c>.</exception>
    public static ChatTemplate? Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return ChatTemplateFiles.Read(folder) is { } files
            ? new ChatTemplate(ParseBody(files.Default), files.ToolUse is null ? null : ParseBody(files.ToolUse), files.SpecialTokens, files.Default)
            : null;
    }

    /// <param name="source">Jinja source, at most 1 MiB of characters.</param>
    /// <param name="specialTokens">Variables such as <c>bos_token</c>; their text counts as the template's own.</param>
    /// <exception cref="ChatTemplateException">The template does not parse, is too large, or asks for what templates may not do or what is not known.</exception>
    public static ChatTemplate Parse(string source, IReadOnlyDictionary<string, string>? specialTokens = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new ChatTemplate(ParseBody(source), toolBody: null, specialTokens, source);
    }

    /// <summary>Renders messages (objects with <c>role</c>, <c>content</c>, ...). Every string that comes from <paramref name="messages"/>, tools or variables stays <see cref="Provenance.Content"/>,
    /// whatever filters and methods of the template do to it. Neighbouring spans differ in provenance; none is empty.</summary>
    /// <exception cref="ChatTemplateException">The template refuses these messages, fails on them, or exceeds a budget.</exception>
    public IReadOnlyList<TextSpan> Render(JsonArray messages, ChatTemplateOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        options ??= new ChatTemplateOptions();
        var input = new JsonInput();
        var variables = new Dictionary<string, Value>(specialTokens, StringComparer.Ordinal)
        {
            [Messages] = input.Read(Messages, messages),
            [Tools] = input.Read(Tools, options.Tools),
            [Documents] = NoneValue.Instance,
            [AddGenerationPrompt] = BoolValue.Of(options.AddGenerationPrompt),
        };
        if (input.Read("variables", options.Variables) is DictValue given)
        {
            foreach (var (key, value) in given.Items)
            {
                var name = ((StringValue)key).Text;
                if (Reserved.Contains(name, StringComparer.Ordinal) || specialTokens.ContainsKey(name) || Globals.Find(name) is not null)
                {
                    throw new ChatTemplateException(ChatTemplateError.Forbidden, $"variables: '{Shorten.Text(name)}' is reserved");
                }

                variables[name] = value;
            }
        }

        var state = new RenderState(variables, options.Clock ?? TimeProvider.System, checked(input.Chars + ownChars));
        var template = options.Tools is not null && toolBody is not null ? toolBody : body;
        template.Execute(state.Root);
        return state.Output.ToSpans();
    }

    private static Block ParseBody(string source)
        => source.Length <= Budget.Source
            ? Parser.Parse(source)
            : throw new ChatTemplateException(ChatTemplateError.Limit, $"Chat template: limit exceeded: source of {source.Length} characters; the limit is {Budget.Source}");
}
