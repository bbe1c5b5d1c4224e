using System.Text.Json.Nodes;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public class ConcurrencyTests
{
    [Fact]
    public void One_template_renders_alike_on_many_threads_at_once()
    {
        var template = ChatTemplate.Parse(
            "{% macro m(x) %}[{{ x|upper }}{{ caller() }}]{% endmacro %}{% set ns = namespace(t='') %}{% for message in messages %}{% call m(message.content) %}{{ loop.index }}{% endcall %}{% set ns.t = ns.t ~ message.content %}{% endfor %}{{ ns.t }}");
        var expected = Enumerable.Range(0, 8).Select(Render).ToArray();
        Parallel.For(0, 400, i => Assert.Equal(expected[i % 8], Render(i % 8)));

        string Render(int number)
        {
            var messages = new JsonArray([.. Enumerable.Range(0, number).Select(i => (JsonNode)new JsonObject { ["content"] = $"text {number} {i}" })]);
            return string.Concat(template.Render(messages).Select(span => span.Text));
        }
    }
}
