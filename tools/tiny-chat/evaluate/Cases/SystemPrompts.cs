namespace KvPrefetch.Tools.Evaluate;

/// <summary>The system says in which language or tone to answer; the user does not.</summary>
internal static class SystemPrompts
{
    private static readonly string[] Chat = ["Hello!", "Who are you?", "Thanks for that.", "What colour is grass?", "Good night.", "What are you called?"];

    // Words of which an answer in that language has one at least, and English none.
    private static readonly (string Name, string[] Words)[] Languages =
    [
        ("French", ["je", "suis", "bonjour", "bonsoir", "salut", "merci", "de rien", "est", "les", "le", "la", "bonne", "plaisir", "vert", "verte", "vous", "un", "une", "ne", "nuit", "revoir", "adieu"]),
        ("German", ["ich", "bin", "hallo", "guten", "gute", "danke", "bitte", "gern", "gerne", "ist", "das", "der", "die", "nacht", "ein", "eine", "nicht", "wie", "kein", "grün", "wiedersehen", "tschüss"]),
        ("Spanish", ["soy", "hola", "gracias", "de nada", "buenas", "buenos", "es", "el", "la", "yo", "verde", "un", "una", "no lo", "con gusto", "qué", "noches", "llamo", "claro", "adiós", "hasta", "luego"]),
    ];

    private static readonly string[] InLanguage = ["Always answer in {0}.", "You speak {0} only.", "Whatever the user says, reply in {0}.", "The user wants to hear {0}. Use {0} and no English."];

    private static readonly string[] English = ["the", "you", "is", "are", "am", "my", "your", "and", "of", "welcome", "hello"];

    private static readonly (string Kind, string[] Prompts, Func<Reply, string?> Check)[] Tones =
    [
        ("pirate", ["Speak like a pirate.", "You are a pirate of the seven seas and talk like one."], r => Check.SaysOneOf(r, "arr", "arrr", "ahoy", "matey", "aye", "ye", "mateys")),
        ("formal", ["Be very formal.", "Use a formal, polite tone in every answer."], r => Check.SaysOneOf(r, "certainly", "sir", "madam", "pleasure", "please", "kindly", "indeed", "regards", "allow")),
        ("cowboy", ["Answer like a cowboy from Texas.", "You talk like a cowboy."], r => Check.SaysOneOf(r, "howdy", "partner", "pardner", "y'all", "reckon")),
        ("robot", ["You are a robot and sound like one.", "Talk in the manner of a robot."], r => Check.SaysOneOf(r, "beep", "boop", "beep-boop")),
        ("capitals", ["Write everything in capital letters.", "Use only upper case."], r => Check.IsText(r) ?? (r.Text.Any(char.IsLower) ? "small letters" : r.Text.Any(char.IsUpper) ? null : "no letters")),
        ("lower case", ["Write everything in small letters.", "Never use upper case."], r => Check.IsText(r) ?? (r.Text.Any(char.IsUpper) ? "capital letters" : null)),
        ("ends with", ["End every answer with the word amigo.", "The last word of all that you say must be amigo."], r => Check.IsText(r) ?? (r.Text.TrimEnd('.', '!', '?').EndsWith("amigo", StringComparison.OrdinalIgnoreCase) ? null : "ends otherwise")),
        ("addresses", ["The user's name is Tamara. Use her name whenever you answer.", "Address the user as Tamara in each answer."], r => Check.Says(r, "Tamara")),
    ];

    public static IEnumerable<Case> Cases()
    {
        foreach (var (language, words) in Languages)
        {
            foreach (var at in Combinations.Of(12, InLanguage.Length, Chat.Length))
            {
                var (prompt, text) = (InLanguage[at[0]], Chat[at[1]]);
                yield return Of(language, prompt.Replace("{0}", language, StringComparison.Ordinal), text, reply => Check.SaysOneOf(reply, words) ?? (Array.Find(English, word => Check.Has(reply.Text, word)) is { } english ? $"English: {english}" : null));
            }
        }

        foreach (var (kind, prompts, check) in Tones)
        {
            foreach (var at in Combinations.Of(4, prompts.Length, Chat.Length))
            {
                yield return Of(kind, prompts[at[0]], Chat[at[1]], check);
            }
        }
    }

    private static Case Of(string kind, string system, string text, Func<Reply, string?> check) => new("system", kind, async dialogue =>
    {
        dialogue.System(system);
        return check(await dialogue.AskAsync(text)) ?? check(await dialogue.AskAsync("And how goes it today?"));
    });
}
