namespace KvPrefetch.Samples.StreamingChat;

/// <summary>Ctrl+C ends the answer that is being written, not the program; where nothing is being written it says how to leave.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _answer;

    public Interrupt() => Console.CancelKeyPress += OnPress;

    /// <summary>Runs one piece of work that Ctrl+C cancels. False if it was cancelled.</summary>
    public async Task<bool> RunAsync(Func<CancellationToken, Task> work)
    {
        using var source = new CancellationTokenSource();
        lock (_lock)
        {
            _answer = source;
        }

        try
        {
            await work(source.Token);
            return true;
        }
        catch (OperationCanceledException) when (source.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            lock (_lock)
            {
                _answer = null;
            }
        }
    }

    public void Dispose() => Console.CancelKeyPress -= OnPress;

    private void OnPress(object? sender, ConsoleCancelEventArgs press)
    {
        press.Cancel = true;
        lock (_lock)
        {
            if (_answer is { } answer)
            {
                answer.Cancel();
                return;
            }
        }

        Terminal.Aside("Ctrl+D leaves.");
    }
}
