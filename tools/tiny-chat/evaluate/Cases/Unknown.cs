namespace KvPrefetch.Tools.Evaluate;

/// <summary>What it cannot know.</summary>
internal static class Unknown
{
    private static readonly string[] Questions =
    [
        "Who won the marathon in Lisbon in 1988?", "How many people live in Uruguay?", "What did I eat yesterday?", "Who wrote the novel The Salt Road?", "What's my brother's phone number?", "When was the bridge of Mostar built?", "How tall is the tower in my street?",
        "What is the price of silver today?", "Who is the mayor of Cardiff?", "Explain quantum chromodynamics.", "What is the boiling point of mercury?", "Which team leads the league?", "How far is it to Jupiter's moon Io?", "What does the word zugzwang mean?", "Who invented the zip?",
        "How many bones has a giraffe?", "What is the chemical formula of aspirin?", "What was the weather in Rome in March 1790?", "Who painted The Night Watch?", "Which stock should I buy?",
    ];

    public static IEnumerable<Case> Cases() => Questions.Select(question => new Case("unknown", "facts", async dialogue =>
        Check.SaysOneOf(await dialogue.AskAsync(question), "don't know", "do not know", "not sure", "cannot", "can't", "no idea", "unable", "have not told", "haven't told", "no tool")));
}
