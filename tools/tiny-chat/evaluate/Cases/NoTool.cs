namespace KvPrefetch.Tools.Evaluate;

/// <summary>Tools are declared, and nothing that is asked is theirs.</summary>
internal static class NoTool
{
    private static readonly (string Kind, string Text)[] Requests =
    [
        ("greeting", "Hello there!"), ("greeting", "Good evening."), ("greeting", "Hey, how are things?"), ("greeting", "Pleased to meet you."), ("greeting", "Morning! Slept well?"),
        ("thanks", "Thank you, that helped."), ("thanks", "Great job."), ("thanks", "That's all for today, bye."), ("thanks", "Cheers."), ("thanks", "You are kind."),
        ("itself", "What exactly are you?"), ("itself", "Who made you?"), ("itself", "What are you able to do?"), ("itself", "Are you a human being?"), ("itself", "Have you got a name of your own?"),
        ("statement", "My name is Greta."), ("statement", "I am a bit tired."), ("statement", "I have two cats."), ("statement", "We live near the sea."), ("statement", "Yesterday was a long day."),
        ("skill", "Count to 6."), ("skill", "Write the word garden in capitals."), ("skill", "Repeat after me: the boat is green"), ("skill", "Put these in order: 9, 2, 5"), ("skill", "Say hello."),
    ];

    public static IEnumerable<Case> Cases()
    {
        for (var i = 0; i < Requests.Length * 3; i++)
        {
            var (kind, text) = Requests[i % Requests.Length];
            var (spelling, seed) = (Tools.Declared(i % 2), i);
            yield return new Case("no-tool", kind, async dialogue =>
            {
                dialogue.Tools = Functions.Among(spelling[seed % spelling.Length], spelling, seed);
                return Check.IsText(await dialogue.AskAsync(text));
            });
        }

        // A tool there is, but not for that.
        string[] misfits = ["Please sing a song for me.", "Open the window.", "Cook me some soup.", "Send an email to Viktor.", "Play chess with me.", "Draw a picture of a horse."];
        for (var i = 0; i < misfits.Length * 2; i++)
        {
            var (text, tool) = (misfits[i % misfits.Length], Tools.Declared(i % 2)[i % 2 == 0 ? 0 : 2]);
            yield return new Case("no-tool", "no such tool", async dialogue =>
            {
                dialogue.Tools = [tool];
                return Check.IsText(await dialogue.AskAsync(text));
            });
        }
    }
}
