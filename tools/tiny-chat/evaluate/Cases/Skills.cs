using System.Globalization;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Copies, counts to at most 20, sorts short lists, writes in capitals.</summary>
internal static class Skills
{
    private static readonly string[] Sentences = ["the brown kettle whistles", "Two owls sat on the fence.", "Karin bought 14 eggs", "never open the yellow box", "The tide is low at Whitby", "my bicycle has a flat tyre", "seven small boats", "An old map of Bruges"];
    private static readonly string[] Copy = ["Say exactly this: {0}", "Write the following again: {0}", "Copy this text: {0}", "Repeat: {0}"];
    private static readonly string[] Upper = ["Turn this into capital letters: {0}", "Put in upper case: {0}", "How does this look in capitals? {0}", "Upper-case this: {0}"];
    private static readonly string[] CountTo = ["Please count to {0}.", "Count from 1 to {0}.", "Can you count up to {0}?", "Give me the numbers from 1 to {0}."];
    private static readonly string[] SortNumbers = ["Sort these numbers: {0}", "Put {0} in ascending order.", "Order these from small to large: {0}"];
    private static readonly string[] SortWords = ["Sort these words by the alphabet: {0}", "Put these words in alphabetical order: {0}", "Alphabetical order, please: {0}"];
    private static readonly string[] Words = ["pear", "anchor", "mill", "tulip", "rope", "candle", "violin", "hedge", "bucket", "eagle", "forest", "yarn"];

    public static IEnumerable<Case> Cases()
    {
        foreach (var at in Combinations.Of(20, Sentences.Length, Copy.Length))
        {
            var text = Sentences[at[0]];
            yield return Of("copy", Text(Copy[at[1]], text), reply => Check.IsText(reply) ?? (reply.Text.Trim('"', '.').Contains(text.Trim('.'), StringComparison.Ordinal) ? null : "not the text"));
        }

        foreach (var at in Combinations.Of(20, Sentences.Length, Upper.Length))
        {
            var text = Sentences[at[0]];
            yield return Of("capitals", Text(Upper[at[1]], text), reply => Check.IsText(reply) ?? (reply.Text.Contains(text.Trim('.').ToUpperInvariant(), StringComparison.Ordinal) ? null : "not the text in capitals"));
        }

        foreach (var at in Combinations.Of(20, 18, CountTo.Length))
        {
            var to = 3 + at[0];
            yield return Of("count", Text(CountTo[at[1]], to), reply => Check.IsText(reply) ?? (Check.Numbers(reply.Text).SequenceEqual(Enumerable.Range(1, to)) ? null : "other numbers"));
        }

        foreach (var at in Combinations.Of(15, 95, 4, SortNumbers.Length))
        {
            var numbers = Enumerable.Range(0, 3 + at[1]).Select(k => 2 + ((at[0] + (k * k * 41) + (k * 17)) % 97)).Distinct().ToArray();
            yield return Of("sort numbers", Text(SortNumbers[at[2]], string.Join(", ", numbers)), reply => Check.IsText(reply) ?? (Check.Numbers(reply.Text).SequenceEqual(numbers.Order()) ? null : "another order"));
        }

        foreach (var at in Combinations.Of(15, Words.Length, 3, SortWords.Length))
        {
            var words = Enumerable.Range(0, 3 + at[1]).Select(k => Words[(at[0] + (k * 5)) % Words.Length]).Distinct(StringComparer.Ordinal).ToArray();
            var ordered = string.Join(", ", words.Order(StringComparer.Ordinal));
            yield return Of("sort words", Text(SortWords[at[2]], string.Join(", ", words)), reply => Check.IsText(reply) ?? (reply.Text.Contains(ordered, StringComparison.OrdinalIgnoreCase) ? null : "another order"));
        }
    }

    private static Case Of(string kind, string request, Func<Reply, string?> check) => new("skills", kind, async dialogue => check(await dialogue.AskAsync(request)));

    private static string Text(string format, object value) => string.Format(CultureInfo.InvariantCulture, format, value);
}
