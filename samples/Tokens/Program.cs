// Shows how a model's tokenizer cuts a text. Exit codes: 0 done, 2 wrong options, 3 the model's files cannot be used.
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;
using KvPrefetch.Samples.Tokens;

var options = Options.Parse(args, out var error);
if (options is null || options.Help)
{
    Console.Error.WriteLine(options is null ? error : "");
    Console.Error.WriteLine(Options.Usage);
    return options is null ? 2 : 0;
}

if (options.Template is null && options.Model is null)
{
    Console.Error.WriteLine("Which model? Give a folder with --model DIR.");
    return 2;
}

try
{
    var clock = Conversations.ClockAt(options.Now);
    if (options.Template is not null)
    {
        using var output = Console.OpenStandardOutput();
        Conversations.Run(options.Template, options.Conversations!, clock, output);
        return 0;
    }

    var tokenizer = Tokenizer.Load(options.Model!);
    if (options.Chat)
    {
        var template = ChatTemplate.Load(options.Model!);
        if (template is null)
        {
            Console.Error.WriteLine("The model folder has no chat template.");
            return 3;
        }

        Console.OutputEncoding = System.Text.Encoding.UTF8;
        var spans = Conversations.Render(template, Conversations.Read(options.Text, Console.In), clock);
        TokenPrinter.Print(tokenizer, tokenizer.Encode(spans), Console.Out, colour: !Console.IsOutputRedirected);
    }
    else if (options.Constrain)
    {
        Constraints.Run(tokenizer, options.Masks, Console.OpenStandardInput(), Console.OpenStandardOutput());
    }
    else if (options.Jsonl)
    {
        Jsonl.Run(tokenizer, Console.OpenStandardInput(), Console.OpenStandardOutput());
    }
    else
    {
        Console.OutputEncoding = System.Text.Encoding.UTF8;
        TokenPrinter.Print(tokenizer, tokenizer.Encode(options.Text ?? Console.In.ReadToEnd()), Console.Out, colour: !Console.IsOutputRedirected);
    }

    return 0;
}
catch (Exception e) when (e is FormatException or JsonException)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
catch (Exception e) when (e is KvPrefetchException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 3;
}
