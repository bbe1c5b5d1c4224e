using System.Globalization;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Something is said first, four other turns follow, then it is asked for.</summary>
internal static class Memory
{
    private static readonly string[] Between =
    [
        "How are you today?", "What are you exactly?", "Thanks.", "Please count to 4.", "I see.", "What can you help me with?", "Write the word lamp in capitals.", "Are you fast?", "Good to know.", "Say good morning.",
        "Repeat this: red apples", "Sort 7, 3, 5.",
    ];

    private static readonly string[] Names = ["Ingrid", "Yusuf", "Keiko", "Bruno", "Freya", "Hamid", "Selma", "Aaron", "Odette", "Piotr"];
    private static readonly (string Told, string Asked)[] OwnName = [("Hi, my name is {0}.", "What's my name?"), ("I'm {0}, by the way.", "Do you still know what I am called?"), ("{0} is what my friends call me.", "Tell me my name, please.")];
    private static readonly (string Told, string Asked)[] OtherName = [("My dog is called {0}.", "What is my dog's name?"), ("My neighbour's name is {0}.", "How is my neighbour called?"), ("My teacher is {0}.", "Who is my teacher?")];

    private static readonly (string Told, string Asked)[] Number =
    [
        ("My locker has the number {0}.", "Which number does my locker have?"), ("Keep the number {0} in mind.", "Which number did I ask you to keep in mind?"), ("My lucky number is {0}.", "What's my lucky number?"),
        ("I live in room {0}.", "In which room do I live?"), ("Remember the code {0}.", "What was the code?"),
    ];

    public static IEnumerable<Case> Cases()
    {
        var i = 0;
        foreach (var at in Combinations.Of(20, OwnName.Length, Names.Length))
        {
            yield return Of(++i, "own name", OwnName[at[0]], Names[at[1]]);
        }

        foreach (var at in Combinations.Of(12, OtherName.Length, Names.Length))
        {
            yield return Of(++i, "another's name", OtherName[at[0]], Names[at[1]]);
        }

        foreach (var at in Combinations.Of(28, Number.Length, 950))
        {
            yield return Of(++i, "number", Number[at[0]], (13 + at[1]).ToString(CultureInfo.InvariantCulture));
        }
    }

    private static Case Of(int i, string kind, (string Told, string Asked) what, string value) => new("memory", kind, async dialogue =>
    {
        await dialogue.AskAsync(string.Format(CultureInfo.InvariantCulture, what.Told, value));
        for (var turn = 0; turn < 4; turn++)
        {
            await dialogue.AskAsync(Between[(i + (turn * 5)) % Between.Length]);
        }

        return Check.Says(await dialogue.AskAsync(what.Asked), value);
    });
}
