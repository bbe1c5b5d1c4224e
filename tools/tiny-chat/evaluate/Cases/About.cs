namespace KvPrefetch.Tools.Evaluate;

/// <summary>What it is, how another model is loaded, what prefetch does, and a little of the project around it.</summary>
internal static class About
{
    // An answer has one word of each list.
    private static readonly (string Kind, string[][] Needed, string[] Questions)[] All =
    [
        ("what it is", [["TinyChat", "tiny-chat", "tiny chat", "model", "program"]],
            [
                "What exactly are you?", "Who am I talking to?", "Introduce yourself, please.", "Which model is this?", "Are you a person?", "What kind of program are you?", "Have you got a name of your own?", "Would you say who you are?", "What is your name?", "So you are an AI?", "What model do you run on?", "Who is answering me here?",
            ]),
        ("another model", [["--model", "folder", "directory", "path", "KvPrefetchOptions"]],
            [
                "How can I use a bigger model?", "How do I load another model?", "Can I run a different model here?", "I'd like to chat with another model. What must I do?", "How do I switch to my own model?", "Where do I say which model is loaded?", "Is it possible to open another model?",
                "You are small. How do I get a larger model going?", "Which option chooses the model?", "How do I change the model?", "How would I load a model from Hugging Face?", "Please explain how to replace you with another model.",
            ]),
        ("prefetch", [["cache", "memory", "pages", "keys", "values", "weights", "data"], ["ahead", "before", "early", "advance", "next", "soon", "while", "in time"]],
            [
                "What does prefetch do?", "What is prefetch good for?", "Explain prefetching to me.", "What is behind the name KvPrefetch?", "What is prefetched here?", "How does prefetch make it faster?", "What does the prefetch in your name mean?", "Tell me about prefetch.",
                "What happens during prefetch?", "Could you say in a sentence what prefetch is?", "What's the point of prefetching?", "Prefetch: what is that?",
            ]),
        ("where it runs", [["your", "local", "locally", "inside", "this", "own"]],
            ["On which machine are you running?", "Do my messages leave this computer?", "Do you need the internet?", "Is my data sent to a server?", "Are you running in the cloud?", "Do you work offline?"]),
        ("the project", [["KvPrefetch", "C#", ".NET", "IChatClient", "library", "engine"]],
            ["KvPrefetch.AI, what is that?", "Which language is this project written in?", "What can I do with KvPrefetch.AI?", "What is this project about?", "Tell me something about KvPrefetch.", "Which interface does the library have?"]),
    ];

    public static IEnumerable<Case> Cases() => All.SelectMany(a => a.Questions.Select(question => new Case("about", a.Kind, async dialogue =>
    {
        var reply = await dialogue.AskAsync(question);
        return a.Needed.Select(words => Check.SaysOneOf(reply, words)).FirstOrDefault(wrong => wrong is not null);
    })));
}
