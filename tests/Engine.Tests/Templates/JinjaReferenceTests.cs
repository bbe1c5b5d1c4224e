using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;

namespace KvPrefetch.Tests.Templates;

public class JinjaReferenceTests
{
    [Fact]
    public void Expressions_give_what_python_gives() => Compare(JinjaReference.Expressions, JinjaReference.ExpressionVariables, "[]");

    [Fact]
    public void Statements_give_what_python_gives() => Compare(JinjaReference.Statements, JinjaReference.StatementVariables, JinjaReference.StatementMessages);

    private static void Compare(string rows, string variables, string messages)
    {
        var differences = new StringBuilder();
        foreach (var row in rows.Split('\n'))
        {
            var pair = JsonNode.Parse(row)!.AsArray();
            var (template, expected) = ((string)pair[0]!, (string?)pair[1]);
            string? actual;
            try
            {
                actual = Rendering.Text(template, variables, messages);
            }
            catch (ChatTemplateException)
            {
                actual = null;
            }

            if (expected != actual)
            {
                differences.AppendLine($"{template}: expected {expected ?? "an error"}, got {actual ?? "an error"}");
            }
        }

        Assert.True(differences.Length == 0, differences.ToString());
    }
}
