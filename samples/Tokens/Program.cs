// Shows how a model's tokenizer cuts a text. Exit codes: 0 done, 2 wrong options, 3 the model's files cannot be used.
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Tokenization;
using KvPrefetch.Samples.Tokens;

var options = Options.Parse(args, out var error);
if (options is null || options.Help)
{
    Console.Error.WriteLine(options is null ? error : "");
    Console.Error.WriteLine(Options.Usage);
    return options is null ? 2 : 0;
}

if (options.Model is null)
{
    Console.Error.WriteLine("Which model? Give a folder with --model DIR.");
    return 2;
}

try
{
    var tokenizer = Tokenizer.Load(options.Model);
    if (options.Jsonl)
    {
        Jsonl.Run(tokenizer, Console.OpenStandardInput(), Console.OpenStandardOutput());
    }
    else
    {
        Console.OutputEncoding = System.Text.Encoding.UTF8;
        TokenPrinter.Print(tokenizer, options.Text ?? Console.In.ReadToEnd(), Console.Out, colour: !Console.IsOutputRedirected);
    }

    return 0;
}
catch (Exception e) when (e is KvPrefetchException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 3;
}
