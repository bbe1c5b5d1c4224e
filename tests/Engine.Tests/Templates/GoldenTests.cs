using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public class GoldenTests
{
    [Fact]
    public void JT23_Templates_of_real_models_render_as_transformers_renders_them()
    {
        var goldens = Goldens.Load();
        var differences = new StringBuilder();
        var equal = 0;
        foreach (var name in goldens.Names)
        {
            var template = goldens.Template(name);
            foreach (var (conversation, expected) in goldens.Rendered[name]!.AsObject())
            {
                var text = (string?)expected!["text"];
                string actual;
                try
                {
                    actual = string.Concat(Goldens.Render(template, goldens.Conversations["conversations"]![conversation]!).Select(span => span.Text));
                }
                catch (ChatTemplateException e)
                {
                    actual = "error: " + e.Message;
                }

                if (text is null || text == actual)
                {
                    equal++;
                }
                else
                {
                    var at = text.Zip(actual).TakeWhile(pair => pair.First == pair.Second).Count();
                    differences.AppendLine($"{name}/{conversation} at {at}: expected <{text[at..Math.Min(text.Length, at + 60)]}> got <{actual[Math.Min(at, actual.Length)..Math.Min(actual.Length, at + 60)]}>");
                }
            }
        }

        Assert.True(differences.Length == 0, $"{equal} are equal, these are not:\n{differences}");
    }
}
