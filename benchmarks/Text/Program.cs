// Tokenizer speed on one core: TextBenchmark FOLDER TEXTFILE... prints one line of JSON a text: bytes, tokens, MB/s of encoding and decoding, bytes allocated a token; and first the load time.
// benchmarks/Text/run.mjs runs this beside the reference library.
using System.Diagnostics;
using System.Globalization;
using KvPrefetch.Engine.Text.Tokenization;

if (args.Length == 0)
{
    Console.Error.WriteLine("TextBenchmark FOLDER TEXTFILE...");
    return 2;
}

var watch = Stopwatch.StartNew();
var tokenizer = Tokenizer.Load(args[0]);
var first = watch.Elapsed.TotalMilliseconds;
watch.Restart();
_ = Tokenizer.Load(args[0]);
Write($"{{\"loadMs\": {first:F0}, \"secondLoadMs\": {watch.Elapsed.TotalMilliseconds:F0}}}");

foreach (var path in args[1..])
{
    var text = File.ReadAllText(path);
    var bytes = new FileInfo(path).Length;
    // A file of documents has a form feed between each two; each is encoded by itself.
    var documents = text.Split('\f');
    var ids = documents.SelectMany(document => tokenizer.Encode(document)).ToArray();
    var encode = Best(() =>
    {
        foreach (var document in documents)
        {
            _ = tokenizer.Encode(document);
        }
    });
    var decode = Best(() => tokenizer.Decode(ids));
    var before = GC.GetAllocatedBytesForCurrentThread();
    foreach (var document in documents)
    {
        _ = tokenizer.CountTokens(document);
    }

    var allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)ids.Length;
    Write($"{{\"text\": \"{Path.GetFileNameWithoutExtension(path)}\", \"bytes\": {bytes}, \"tokens\": {ids.Length}, \"encodeMBs\": {bytes / encode / 1e6:F2}, \"decodeMBs\": {bytes / decode / 1e6:F2}, \"allocatedPerToken\": {allocated:F3}}}");
}

return 0;

// Seconds of the best of the runs that fit into a second, at least three.
static double Best(Action action)
{
    var best = double.MaxValue;
    var total = Stopwatch.StartNew();
    for (var i = 0; i < 3 || total.Elapsed.TotalSeconds < 1; i++)
    {
        var run = Stopwatch.StartNew();
        action();
        best = Math.Min(best, run.Elapsed.TotalSeconds);
    }

    return best;
}

static void Write(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
