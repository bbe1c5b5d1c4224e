using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine;

/// <summary>What one token added to the answer.</summary>
/// <param name="Token">The token's id; null for the last piece, which flushes text that was held back.</param>
/// <param name="Text">Text that became certain; may be empty while a character or a possible stop string is incomplete.</param>
public readonly record struct GenerationPiece(int? Token, string Text)
{
    /// <summary>Of the token, where <see cref="SamplingOptions.Logprobs"/> asks for it.</summary>
    public TokenLogprobs? Logprobs { get; init; }
}

/// <summary>A running request, seen by its caller. Disposing it, or leaving its enumeration, cancels it.</summary>
public sealed class Generation : IAsyncDisposable, IDisposable
{
    private readonly Channel<TokenEvent> _events = Channel.CreateUnbounded<TokenEvent>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
    private readonly Pump _pump;
    private readonly StreamingDetokenizer? _detokenizer;
    private readonly StopStrings _stops;
    private readonly long _submitted = Stopwatch.GetTimestamp();
    private long _started;
    private int _enumerated;
    private long _firstToken;
    private long _lastToken;
    private int _generated;
    private int _finish = -1;
    private int _published;
    private int _cached;

    internal Generation(Pump pump, Sequence sequence, StreamingDetokenizer? detokenizer, IReadOnlyList<string> stopStrings)
    {
        _pump = pump;
        Sequence = sequence;
        PromptTokens = sequence.PromptCount;
        _detokenizer = detokenizer;
        _stops = new StopStrings(stopStrings);
    }

    /// <summary>Null while running.</summary>
    public FinishReason? FinishReason => Volatile.Read(ref _finish) is var finish and >= 0 ? (FinishReason)finish : null;

    public int PromptTokens { get; }

    /// <summary>Prompt tokens whose keys and values were found in the cache.</summary>
    public int CachedPromptTokens => Volatile.Read(ref _cached);

    /// <summary>Tokens read so far, the one that ended the answer included.</summary>
    public int GeneratedTokens => Volatile.Read(ref _generated);

    /// <summary>From submission to the first step that computed on the prompt; null while it waits.</summary>
    public TimeSpan? QueueTime => Volatile.Read(ref _started) is var started and not 0 ? Stopwatch.GetElapsedTime(_submitted, started) : null;

    /// <summary>From submission to the first token.</summary>
    public TimeSpan? TimeToFirstToken => Volatile.Read(ref _firstToken) is var first and not 0 ? Stopwatch.GetElapsedTime(_submitted, first) : null;

    /// <summary>From the first token to the last so far.</summary>
    public TimeSpan DecodeTime => Stopwatch.GetElapsedTime(Volatile.Read(ref _firstToken), Volatile.Read(ref _lastToken));

    /// <summary>The pump's side of the request; the pump thread alone reads it.</summary>
    internal Sequence Sequence { get; }

    /// <summary>Streams the answer; may be enumerated once. Ends normally on Stop and Length; throws the request's error, OperationCanceledException
    /// when cancelled (with <paramref name="cancellationToken"/> when that fired), ObjectDisposedException when the engine was disposed.</summary>
    public IAsyncEnumerable<GenerationPiece> ReadAllAsync(CancellationToken cancellationToken = default) => Interlocked.Exchange(ref _enumerated, 1) == 0
        ? Read(cancellationToken)
        : throw new InvalidOperationException("A generation can be read once; submit the request again for another answer.");

    /// <summary>Leaves the batch at the next step. Idempotent; nothing happens to a request that has ended.</summary>
    public void Cancel()
    {
        if (FinishReason is null)
        {
            _pump.Cancel(this);
        }
    }

    public void Dispose() => Cancel();

    public ValueTask DisposeAsync()
    {
        Cancel();
        return ValueTask.CompletedTask;
    }

    /// <summary>Pump thread: the request is in the batch. A request that was preempted started long ago.</summary>
    internal void Start()
    {
        if (_started == 0)
        {
            Volatile.Write(ref _cached, Sequence.CachedTokens);
            Volatile.Write(ref _started, Stopwatch.GetTimestamp());
        }
    }

    /// <summary>Pump thread: generated tokens that the consumer was not told of.</summary>
    internal int Unpublished => Sequence.GeneratedCount - _published;

    /// <summary>Pump thread: an event for each of them; the last says how the request ended, if it has.</summary>
    /// <param name="now">Timestamp of the step.</param>
    /// <param name="logprobs">Of the one new token, where the request asks for them: then tokens are never forced.</param>
    internal void PublishNew(long now, TokenLogprobs? logprobs)
    {
        for (var left = Unpublished; left > 0; left--)
        {
            Publish(new TokenEvent(Sequence.Tokens[^left], left == 1 ? Sequence.Finish : null, now, logprobs));
            _published++;
        }
    }

    /// <summary>Pump thread: one event; the last one closes the stream.</summary>
    internal void Publish(in TokenEvent e)
    {
        _events.Writer.TryWrite(e);
        if (e.Finish is not null)
        {
            _events.Writer.TryComplete();
        }
    }

    /// <summary>Pump thread: the request failed.</summary>
    internal void Fail(Exception error) => _events.Writer.TryComplete(error);

    private async IAsyncEnumerable<GenerationPiece> Read([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            while (await WaitAsync(cancellationToken).ConfigureAwait(false))
            {
                while (_events.Reader.TryRead(out var e))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var text = Take(e);
                    var last = _stops.Stopped ? Requests.FinishReason.Stop : e.Finish;
                    if (last == Requests.FinishReason.Cancelled)
                    {
                        Volatile.Write(ref _finish, (int)last.Value);
                        throw new OperationCanceledException("The generation was cancelled.", cancellationToken);
                    }

                    if (last is null)
                    {
                        yield return new GenerationPiece(e.Token, text) { Logprobs = e.Logprobs };
                        continue;
                    }

                    if (!_stops.Stopped)
                    {
                        text += Rest();
                        last = _stops.Stopped ? Requests.FinishReason.Stop : last;
                    }

                    if (e.Finish is null)
                    {
                        _pump.Cancel(this);    // a stop string: the engine does not know yet
                    }

                    Volatile.Write(ref _finish, (int)last.Value);
                    yield return new GenerationPiece(e.Token, text) { Logprobs = e.Logprobs };
                    yield break;
                }
            }
        }
        finally
        {
            Cancel();
            Interlocked.CompareExchange(ref _finish, (int)Requests.FinishReason.Cancelled, -1);
        }
    }

    private async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await _events.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            Volatile.Write(ref _finish, (int)Requests.FinishReason.Error);
            throw;
        }
    }

    /// <summary>Counts the event's token and returns the text it adds. A token that ended the answer by being a stop token adds none.</summary>
    private string Take(in TokenEvent e)
    {
        if (e.Token is not { } token)
        {
            return "";
        }

        if (_generated == 0)
        {
            Volatile.Write(ref _firstToken, e.Timestamp);
        }

        Volatile.Write(ref _lastToken, e.Timestamp);
        Volatile.Write(ref _generated, _generated + 1);
        return _detokenizer is null || e.Finish == Requests.FinishReason.Stop ? "" : _stops.Append(_detokenizer.Append(token));
    }

    /// <summary>Text held back for an unfinished character or a possible stop string.</summary>
    private string Rest()
    {
        var text = _stops.Append(_detokenizer?.Flush() ?? "");
        return _stops.Stopped ? text : text + _stops.Flush();
    }
}
