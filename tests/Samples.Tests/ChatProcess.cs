using System.Diagnostics;
using System.Text;

namespace KvPrefetch.Tests.Samples;

/// <summary>samples/StreamingChat in a process of its own, with everything piped.</summary>
internal sealed class ChatProcess : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly Process _process;
    private readonly Task<string> _errors;
    private readonly CancellationTokenSource _limit = new(Limit);

    private ChatProcess(string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "StreamingChat.exe" : "StreamingChat");
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            UseShellExecute = false,
        })!;
        _errors = _process.StandardError.ReadToEndAsync(_limit.Token);
    }

    public int Id => _process.Id;

    public static ChatProcess Start(params string[] arguments) => new(arguments);

    /// <summary>Runs to the end with this input.</summary>
    public static async Task<(int Code, string Output, string Errors)> RunAsync(string input, params string[] arguments)
    {
        using var chat = new ChatProcess(arguments);
        await chat.SayAsync(input);
        return await chat.EndAsync();
    }

    public async Task SayAsync(string text)
    {
        await _process.StandardInput.WriteAsync(text);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Reads output up to and including a character.</summary>
    public async Task<string> ReadToAsync(char end)
    {
        var text = new StringBuilder();
        var one = new char[1];
        while (await _process.StandardOutput.ReadAsync(one, _limit.Token) == 1)
        {
            text.Append(one[0]);
            if (one[0] == end)
            {
                return text.ToString();
            }
        }

        throw new InvalidOperationException($"The program ended before '{end}' came; it had written: {text}");
    }

    /// <summary>Closes the input and waits for the end.</summary>
    public async Task<(int Code, string Output, string Errors)> EndAsync()
    {
        _process.StandardInput.Close();
        var output = await _process.StandardOutput.ReadToEndAsync(_limit.Token);
        var errors = await _errors;
        await _process.WaitForExitAsync(_limit.Token);
        return (_process.ExitCode, output, errors);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        _limit.Dispose();
    }
}
