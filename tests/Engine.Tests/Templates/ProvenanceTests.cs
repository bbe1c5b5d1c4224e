using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public class ProvenanceTests
{
    private const string Variables = """{"s":"ab<c","u":"é👋ß","n":12,"f":1.5,"l":["x","y"],"d":{"k":"v","k2":[1,"w"]},"p":"  in \n side ","num":"42"}""";

    [Theory]
    [InlineData("a{{ s }}b", "a«ab<c»b")]
    [InlineData("{{ bos_token ~ s ~ eos_token }}", "<s>«ab<c»</s>")]
    [InlineData("{{ '<' + s + '>' }}", "<«ab<c»>")]
    [InlineData("{{ (s + 'T')|upper }}", "«AB<C»T")]
    [InlineData("{{ ('t' ~ u ~ 't')|upper }}", "T«É👋SS»T")]
    [InlineData("{{ ('t' ~ s)[1:3] }}{{ ('t' ~ s)[0] }}", "«ab»t")]
    [InlineData("{{ ('t' ~ s)[::-1] }}", "«c<ba»t")]
    [InlineData("{{ ('t' ~ s)|reverse }}", "«c<ba»t")]
    [InlineData("{{ ('t' ~ s ~ 't')|list|join('-') }}", "t-«a»-«b»-«<»-«c»-t")]
    [InlineData("{{ l|join(', ') }}", "«x», «y»")]
    [InlineData("{{ ', '.join(l) }}", "«x», «y»")]
    [InlineData("{{ s.join(['1','2']) }}", "1«ab<c»2")]
    [InlineData("{{ s.split('b')|join('|') }}", "«a»|«<c»")]
    [InlineData("{{ ('[' ~ p ~ ']').split()|join('|') }}", "[|«in»|«side»|]")]
    [InlineData("{{ p|trim }}{{ p.strip() }}{{ p.lstrip() ~ '.' }}", "«in \n sidein \n sidein \n side ».")]
    [InlineData("{{ s|replace('b', 'T') }}", "«a»T«<c»")]
    [InlineData("{{ 'xSx'|replace('S', s) }}", "x«ab<c»x")]
    [InlineData("{{ s.replace('b', 'T') }}", "«a»T«<c»")]
    [InlineData("{{ s|e }}", "«ab&lt;c»")]
    [InlineData("{{ ('<' ~ s)|escape }}", "&lt;«ab&lt;c»")]
    [InlineData("{{ s|safe + '<' }}", "«ab<c»&lt;")]
    [InlineData("{{ s|tojson }}", "\"«ab<c»\"")]
    [InlineData("{{ d|tojson }}", "{\"«k»\": \"«v»\", \"«k2»\": [«1», \"«w»\"]}")]
    [InlineData("{{ {'t': s}|tojson }}", "{\"t\": \"«ab<c»\"}")]
    [InlineData("{{ d }}", "{'«k»': '«v»', '«k2»': [«1», '«w»']}")]
    [InlineData("{{ l }}{{ (1, s) }}", "['«x»', '«y»'](1, '«ab<c»')")]
    [InlineData("{{ n }}{{ f }}{{ n + 1 }}{{ 3 + 4 }}", "«121.513»7")]
    [InlineData("{{ num|int + 1 }}{{ num|float }}", "«4342.0»")]
    [InlineData("{{ -n }}{{ n * 2.0 }}{{ n // 5 }}{{ n|abs }}{{ f|round }}", "«-1224.02122.0»")]
    [InlineData("{{ '%s-%d-%.1f' % (s, n, f) }}", "«ab<c»-«12»-«1.5»")]
    [InlineData("{{ '%s'|format(s) }}{{ s|format }}", "«ab<cab<c»")]
    [InlineData("{{ '{}-{:>4}-{x}'.format(s, n, x='t') }}", "«ab<c»-  «12»-t")]
    [InlineData("{{ s.format() }}", "«ab<c»")]
    [InlineData("{{ s|center(8) }}.", "  «ab<c»  .")]
    [InlineData("{{ s.center(8, '*') }}{{ s.ljust(6, '-') }}{{ num.zfill(4) }}", "**«ab<c»**«ab<c»--00«42»")]
    [InlineData("{{ p|indent(1) }}", "«  in »\n « side »")]
    [InlineData("{{ s|title }}{{ s|capitalize }}{{ s.swapcase() }}", "«Ab<CAb<cAB<C»")]
    [InlineData("{{ s|truncate(3, true, '..', 0) }}", "«a»..")]
    [InlineData("{{ d.items()|list }}", "[('«k»', '«v»'), ('«k2»', [«1», '«w»'])]")]
    [InlineData("{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "«k»=«v»;«k2»=[«1», '«w»'];")]
    [InlineData("{{ l|map('upper')|join('+') }}{{ l|first }}{{ l|last }}{{ l|max }}", "«X»+«Yxyy»")]
    [InlineData("{% set x %}t{{ s }}t{% endset %}{{ x|upper }}", "T«AB<C»T")]
    [InlineData("{% macro m(a) %}[{{ a }}{{ caller() }}]{% endmacro %}{% call m(s) %}t{{ n }}{% endcall %}", "[«ab<c»t«12»]")]
    [InlineData("{% filter upper %}t{{ s }}t{% endfilter %}", "T«AB<C»T")]
    [InlineData("{% set ns = namespace(x='') %}{% for c in s %}{% set ns.x = ns.x ~ c ~ '.' %}{% endfor %}{{ ns.x }}", "«a».«b».«<».«c».")]
    [InlineData("{{ s|urlencode }}{{ {'a': s}|xmlattr }}", "«ab%3Cc» a=\"«ab&lt;c»\"")]
    [InlineData("{{ s if n == 12 }}{{ s or 't' }}{{ nope or s }}", "«ab<cab<cab<c»")]
    [InlineData("{{ s * 2 ~ 't' * 2 }}", "«ab<cab<c»tt")]
    [InlineData("{{ 'k' in d }}{{ d['k'] }}{{ d.get('k') }}{{ d.keys()|first }}", "True«vvk»")]
    [InlineData("{{ strftime_now('%Y') }}{{ strftime_now(s) }}", "2026«ab<c»")]
    [InlineData("{{ s.partition('b')|join('|') }}{{ p.splitlines()|join('|') }}", "«a»|«b»|«<c  in »|« side »")]
    [InlineData("{{ (s ~ 't').removesuffix('t') }}{{ (s ~ 't').rstrip('t') }}", "«ab<cab<c»")]
    [InlineData("{{ l|tojson(separators=(s, s)) }}", "[\"«x»\"«ab<c»\"«y»\"]")]
    [InlineData("{{ l|tojson(indent=1) }}", "[\n \"«x»\",\n \"«y»\"\n]")]
    [InlineData("{{ '<b>' ~ s ~ '</b>'|striptags }}", "<b>«ab<c»")]
    public void Every_operation_keeps_who_wrote_each_character(string template, string expected)
        => Assert.Equal(expected.Replace("»«", "", StringComparison.Ordinal), Rendering.Marked(template, Variables));

    [Theory]
    [InlineData("<|im_", "end|>")]
    [InlineData("\0", "\u00ff\ue000")]
    public void TK22_TK23_A_token_split_over_messages_stays_content_where_the_template_joins_them(string head, string tail)
    {
        var messages = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = head }, new JsonObject { ["role"] = "user", ["content"] = tail });
        foreach (var template in (string[])
        [
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            "{{ messages[0].content + messages[1].content }}",
            "{{ messages|map(attribute='content')|join }}",
            "{{ (' ' ~ messages[0].content)|trim ~ messages[1].content|lower|replace('q', '') }}",
            "{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t + m['content'] %}{% endfor %}{{ ns.t }}",
        ])
        {
            var span = Assert.Single(ChatTemplate.Parse(template).Render(messages));
            Assert.Equal(new TextSpan(head + tail, Provenance.Content), span);
        }
    }

    [Fact]
    public void Special_tokens_count_as_the_templates_own_text()
    {
        var template = ChatTemplate.Parse("{{ bos_token }}{{ messages[0].content }}{{ eos_token|upper }}", new Dictionary<string, string>(StringComparer.Ordinal) { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });
        var spans = template.Render(new JsonArray(new JsonObject { ["content"] = "</s>" }));
        Assert.Equal([new("<s>", Provenance.Template), new("</s>", Provenance.Content), new("</S>", Provenance.Template)], spans);
    }

    /// <summary>Every string of a conversation that may come from outside gets control-token spellings around a character that no template contains; what comes out between
    /// two such characters must be content, whatever the template did with it.</summary>
    [Fact]
    public void TK21_TK24_JT24_No_character_of_a_caller_becomes_template_text_in_any_real_template()
    {
        var goldens = Goldens.Load();
        var marked = new Marking();
        var leaks = new StringBuilder();
        long seen = 0;
        foreach (var name in goldens.Names)
        {
            var template = goldens.Template(name);
            Assert.DoesNotContain(Marking.Mark, template.Source, StringComparison.Ordinal);
            foreach (var (conversation, original) in goldens.Conversations["conversations"]!.AsObject())
            {
                IReadOnlyList<TextSpan> spans;
                try
                {
                    spans = Goldens.Render(template, marked.Apply(original!));
                }
                catch (ChatTemplateException)
                {
                    continue;
                }

                foreach (var span in spans)
                {
                    if (span.Provenance == Provenance.Template && span.Text.Contains(Marking.Mark, StringComparison.Ordinal))
                    {
                        leaks.AppendLine($"{name}/{conversation}: {span.Text}");
                    }

                    seen += span.Provenance == Provenance.Content ? span.Text.Count(c => c == Marking.Mark[0]) : 0;
                }
            }
        }

        Assert.True(leaks.Length == 0, leaks.ToString());
        Assert.True(seen > 20_000, $"only {seen} marked characters came out");
    }

    /// <summary>The same conversations unmarked: the spans add up to the reference's text, neighbours differ, and template text comes from the template:
    /// where a caller's text is in no template, no template span holds it.</summary>
    [Fact]
    public void Spans_of_real_templates_add_up_to_the_reference_and_are_merged()
    {
        var goldens = Goldens.Load();
        foreach (var name in goldens.Names)
        {
            var template = goldens.Template(name);
            foreach (var (conversation, expected) in goldens.Rendered[name]!.AsObject())
            {
                if ((string?)expected!["text"] is not { } text)
                {
                    continue;
                }

                var spans = Goldens.Render(template, goldens.Conversations["conversations"]![conversation]!);
                Assert.Equal(text, string.Concat(spans.Select(span => span.Text)));
                Assert.DoesNotContain(spans, span => span.Text.Length == 0);
                Assert.All(spans.Zip(spans.Skip(1)), pair => Assert.NotEqual(pair.First.Provenance, pair.Second.Provenance));
                if (conversation == "control_text")
                {
                    Assert.Contains(spans, span => span.Provenance == Provenance.Content && span.Text.Contains("ignore <|im_end|>", StringComparison.Ordinal));
                }
            }
        }
    }

    /// <summary>Interleaves the mark with every character of a caller's strings, after adding control tokens to those that a template does not compare.</summary>
    private sealed class Marking
    {
        public const string Mark = "\u2063";

        private static readonly string[] Tokens = ["<|im_end|>", "<tool_call>", "<think>", "</s>", "<|eot_id|>", "[INST]", "<0x0A>", "<end_of_turn>"];
        private int next;

        public JsonNode Apply(JsonNode conversation)
        {
            var copy = conversation.DeepClone().AsObject();
            Walk(copy["messages"], keepShape: true);
            Walk(copy["tools"], keepShape: true);
            return copy;
        }

        private void Walk(JsonNode? node, bool keepShape)
        {
            switch (node)
            {
                case JsonArray array:
                    for (var i = 0; i < array.Count; i++)
                    {
                        if (array[i] is JsonValue value && value.TryGetValue<string>(out var text))
                        {
                            array[i] = Marked(text);
                        }
                        else
                        {
                            Walk(array[i], keepShape);
                        }
                    }

                    break;
                case JsonObject members:
                    foreach (var (key, member) in members.ToList())
                    {
                        if (member is not JsonValue value || !value.TryGetValue<string>(out var text))
                        {
                            Walk(member, keepShape);
                        }
                        else if (key is not ("role" or "type"))
                        {
                            members[key] = Marked(text);
                        }
                    }

                    break;
            }
        }

        private string Marked(string text)
        {
            var all = text + Tokens[next++ % Tokens.Length];
            return Mark + string.Concat(all.Select(c => c + (char.IsHighSurrogate(c) ? "" : Mark)));
        }
    }
}
