namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Does two things at once where they are large: a third of a large tokenizer's loading time goes away.</summary>
internal static class TwoThreads
{
    // Below this many bytes of tokenizer.json a second thread costs more than it gives.
    private const int WorthIt = 1 << 20;

    /// <summary>Returns when both have ended. Where both fail, the error of <paramref name="here"/> counts.</summary>
    /// <param name="bytes">Size of the file that they work on.</param>
    /// <param name="here">Never waits for <paramref name="elsewhere"/>.</param>
    /// <param name="elsewhere">May wait for <paramref name="here"/>.</param>
    public static void Run(int bytes, Action here, Action elsewhere)
    {
        if (bytes < WorthIt)
        {
            here();
            elsewhere();
            return;
        }

        var task = Task.Run(elsewhere);
        try
        {
            here();
        }
        finally
        {
            task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        }

        task.GetAwaiter().GetResult();
    }
}
