using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public class TemplateCapabilitiesTests
{
    private const string Plain = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

    [Fact]
    public void A_template_that_prints_every_message_takes_system_texts_and_two_users_but_no_tools()
    {
        var found = ChatTemplate.Parse(Plain).Capabilities;
        Assert.True(found is { SystemRole: true, ConsecutiveUsers: true, GenerationPrompt: true, Tools: false, ToolCalls: false, ContentParts: false, ThinkingSwitch: false }, found.ToString());
    }

    [Fact]
    public void A_template_that_refuses_system_messages_or_drops_them_has_no_system_role()
    {
        Assert.False(ChatTemplate.Parse("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + Plain).Capabilities.SystemRole);
        Assert.False(ChatTemplate.Parse("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}").Capabilities.SystemRole);
    }

    [Fact]
    public void A_template_that_insists_on_alternation_takes_no_two_users()
        => Assert.False(ChatTemplate.Parse("{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}{{ m.content }}{% endfor %}").Capabilities.ConsecutiveUsers);

    [Fact]
    public void Tools_their_calls_and_their_results_are_looked_for_in_the_text()
    {
        var found = ChatTemplate.Parse("{% if tools %}{{ tools|tojson }}{% endif %}" + Plain).Capabilities;
        Assert.True(found.Tools);
        found = ChatTemplate.Parse("{% for m in messages %}{% for c in m.tool_calls or [] %}{{ c.function.arguments|tojson }}{% endfor %}{{ m.content }}{% endfor %}{{ tools|tojson }}").Capabilities;
        Assert.True(found is { Tools: true, ToolCalls: true, ToolCallArgumentsAsText: false }, found.ToString());
        found = ChatTemplate.Parse("{% for m in messages %}{% for c in m.tool_calls or [] %}{{ '' + c.function.arguments }}{% endfor %}{{ m.content }}{% endfor %}").Capabilities;
        Assert.True(found is { ToolCalls: false, ToolCallArgumentsAsText: true }, found.ToString());
    }

    [Fact]
    public void Parts_and_the_thinking_switch_are_seen()
    {
        var found = ChatTemplate.Parse("{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}{% if enable_thinking %}<think>{% endif %}").Capabilities;
        Assert.True(found is { ContentParts: true, ThinkingSwitch: true, GenerationPrompt: false }, found.ToString());
    }

    [Fact]
    public void Real_templates_are_what_their_makers_say()
    {
        var goldens = Goldens.Load();
        Assert.True(goldens.Template("Qwen-Qwen3-0.6B").Capabilities is { SystemRole: true, ConsecutiveUsers: true, Tools: true, ToolCalls: true, ThinkingSwitch: true });
        Assert.True(goldens.Template("google-gemma-2-2b-it").Capabilities is { SystemRole: false, ConsecutiveUsers: false, Tools: false });
        Assert.True(goldens.Template("SmolLM2-135M-Instruct").Capabilities is { SystemRole: true, Tools: false });
        Assert.True(goldens.Template("meta-llama-Llama-3.1-8B-Instruct").Capabilities is { SystemRole: true, Tools: true, ToolCalls: true });
    }
}
