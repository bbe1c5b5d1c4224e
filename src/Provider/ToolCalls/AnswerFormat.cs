using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>How one model writes reasoning and calls, told from its chat template and vocabulary.</summary>
internal sealed class AnswerFormat
{
    /// <summary>The form of our own section.</summary>
    public static readonly CallSyntax Section = new TaggedJson([ToolSection.CallStart], [ToolSection.CallEnd]);

    // What the template must hold, and what it then writes. The first that fits.
    private static readonly (string[] Needles, CallSyntax Syntax)[] Known =
    [
        (["｜DSML｜"], new InvokeCalls("<｜DSML｜function_calls>", "</｜DSML｜function_calls>", "｜DSML｜")),
        (["<minimax:tool_call>"], new InvokeCalls("<minimax:tool_call>", "</minimax:tool_call>", "")),
        (["<｜tool▁call▁begin｜>"], new NamedJson(new(("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"), ("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"), "<｜tool▁sep｜>"))),
        (["<|tool_call_argument_begin|>"], new NamedJson(new(("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"), ("<|tool_call_begin|>", "<|tool_call_end|>"), "<|tool_call_argument_begin|>", NumbersNames: true))),
        (["[TOOL_CALLS]", "[ARGS]"], new MistralCalls(isNamed: true)),
        (["[TOOL_CALLS]"], new MistralCalls(isNamed: false)),
        (["<|tool_call>call:"], new GemmaCalls("<|tool_call>", "<tool_call|>", "<|\"|>")),
        (["<start_function_call>"], new GemmaCalls("<start_function_call>", "<end_function_call>", "<escape>")),
        (["<arg_key>"], new GlmCalls()),
        (["<seed:tool_call>"], new XmlCalls("<seed:tool_call>", "</seed:tool_call>")),
        (["<function=", "<parameter=", "<tool_call>"], new XmlCalls("<tool_call>", "</tool_call>")),
        (["<function=", "</function>"], new XmlCalls(opener: null, closer: null)),
        (["<|START_ACTION|>"], new TaggedJson(["<|START_ACTION|>"], ["<|END_ACTION|>"], new JsonForm { IsArray = true, Name = "tool_name", Arguments = "parameters" })),
        (["<|tools_prefix|>"], new TaggedJson(["<|tools_prefix|>"], ["<|tools_suffix|>"], new JsonForm { IsArray = true, Name = null })),
        (["function call", "<|role_sep|>"], new TaggedJson(["function call<|role_sep|>"], ["<|message_sep|>"])),
        (["<tool_calls>"], new TaggedJson(["<tool_calls>"], ["</tool_calls>"], new JsonForm { IsArray = true })),
        (["<|tool_call_start|>"], new PythonCalls(["<|tool_call_start|>"], ["<|tool_call_end|>"])),
        (["<|tool_list_start|>"], new PythonCalls(["<|tool_call_start|>"], ["<|tool_call_end|>"])),
        (["<tool_call>"], Section),
        (["<|tool_call|>"], new TaggedJson(["<|tool_call|>"], ["<|/tool_call|>"], new JsonForm { IsArray = true })),
        (["functools"], new TaggedJson(["functools"], [], new JsonForm { IsArray = true })),
        (["<|python_tag|>"], new BareJson()),
        (["\"parameters\": "], new BareJson()),
        (["[func_name1("], new PythonCalls([], [])),
    ];

    private static readonly (string Needle, ReasoningTags Tags)[] KnownReasoning =
    [
        ("<|START_THINKING|>", new("<|START_THINKING|>", "<|END_THINKING|>")),
        ("<|inner_prefix|>", new("<|inner_prefix|>", "<|inner_suffix|>")),
        ("<seed:think>", new("<seed:think>", "</seed:think>")),
        ("[BEGIN FINAL RESPONSE]", new("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]")),
        ("<|channel>thought", new("<|channel>", "<channel|>") { Label = "thought" }),
        ("[THINK]", new("[THINK]", "[/THINK]")),
        ("<think>", ReasoningTags.Think),
        ("</think>", ReasoningTags.Think),
    ];

    private readonly Tokenizer _tokenizer;
    private readonly Dictionary<int, string> _marks = [];
    private readonly HashSet<string> _markTexts;

    private AnswerFormat(Tokenizer tokenizer, CallSyntax calls, ReasoningTags? reasoning, bool isHarmony = false, bool hasRecipients = false)
    {
        (_tokenizer, Calls, Reasoning, IsHarmony, HasRecipients) = (tokenizer, calls, reasoning, isHarmony, hasRecipients);
        IEnumerable<string> tags = hasRecipients ? [] : isHarmony ? HarmonyAnswerReader.Marks : [.. calls.Openers, .. reasoning is null ? [] : new[] { reasoning.Start, reasoning.End }];
        foreach (var tag in tags)
        {
            if (tokenizer.TryGetId(tag, out var id))
            {
                _marks[id] = tag;
            }
        }

        _markTexts = new HashSet<string>(_marks.Values, StringComparer.Ordinal);
    }

    /// <summary>How calls are written.</summary>
    public CallSyntax Calls { get; }

    /// <summary>Null where the model does not reason between tags.</summary>
    public ReasoningTags? Reasoning { get; }

    /// <summary>Answers are messages with channels.</summary>
    public bool IsHarmony { get; }

    /// <summary>Answers are messages behind lines that say whom they are for (Functionary 3.2).</summary>
    public bool HasRecipients { get; }

    /// <summary>True where answers are more than text, whatever is asked.</summary>
    public bool HasParts => Reasons || HasRecipients;

    /// <summary>True where answers have reasoning in them, whatever is asked.</summary>
    public bool Reasons => IsHarmony || Reasoning is not null;

    /// <summary>Ids of the tokens that mean something to a reader, and their text.</summary>
    public IReadOnlyDictionary<int, string> Marks => _marks;

    /// <param name="template">Source of the chat template; null where there is none.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    public static AnswerFormat Of(string? template, Tokenizer tokenizer)
    {
        template ??= "";
        if (template.Contains("<|channel|>", StringComparison.Ordinal) && template.Contains("<|message|>", StringComparison.Ordinal))
        {
            return new AnswerFormat(tokenizer, Section, reasoning: null, isHarmony: true);
        }

        if (template.Contains(">>>all", StringComparison.Ordinal))
        {
            return new AnswerFormat(tokenizer, Section, reasoning: null, hasRecipients: true);
        }

        var calls = Array.Find(Known, k => Array.TrueForAll(k.Needles, needle => template.Contains(needle, StringComparison.Ordinal))).Syntax ?? Section;
        var reasoning = Array.Find(KnownReasoning, k => template.Contains(k.Needle, StringComparison.Ordinal)).Tags
            ?? (tokenizer.TryGetId(ReasoningTags.Think.Start, out _) && tokenizer.TryGetId(ReasoningTags.Think.End, out _) ? ReasoningTags.Think : null);
        return new AnswerFormat(tokenizer, calls, reasoning);
    }

    /// <summary>A reader for one answer.</summary>
    /// <param name="tools">The functions of the request.</param>
    /// <param name="readsCalls">False: whatever looks like a call is text.</param>
    /// <param name="inSection">The tools were declared in our section: its tags count as text too.</param>
    /// <param name="tail">How the prompt ends.</param>
    public AnswerReader CreateReader(ToolSet tools, bool readsCalls, bool inSection, string tail)
    {
        if (IsHarmony)
        {
            return new HarmonyAnswerReader(tools, readsCalls, _markTexts.Contains);
        }

        if (HasRecipients)
        {
            return new RecipientAnswerReader(tools, readsCalls);
        }

        CallSyntax[] syntaxes = !readsCalls ? [] : !inSection ? [Calls] : Calls == Section ? [Section] : [Section, Calls];
        return new TaggedAnswerReader(syntaxes, Reasoning, OpensReasoning(tail), tools,
            tag => _markTexts.Contains(tag) && !(inSection && string.Equals(tag, ToolSection.CallStart, StringComparison.Ordinal)));
    }

    /// <summary>Tokens that close reasoning as the model would.</summary>
    public int[] EncodeReasoningEnd() => IsHarmony ? _tokenizer.Encode([new(HarmonyAnswerReader.ReasoningEnd, Provenance.Template)])
        : Reasoning is null ? [] : _tokenizer.Encode([new("\n" + Reasoning.End + "\n\n", Provenance.Template)]);

    /// <summary>True where a prompt that ends so has opened reasoning.</summary>
    public bool OpensReasoning(string tail) =>
        Reasoning is not null && tail.LastIndexOf(Reasoning.Start, StringComparison.Ordinal) > tail.LastIndexOf(Reasoning.End, StringComparison.Ordinal);

    /// <summary>A stream of tokens for a reader.</summary>
    public TokenReader Read(AnswerReader reader) => new(_tokenizer, reader, _marks);
}
