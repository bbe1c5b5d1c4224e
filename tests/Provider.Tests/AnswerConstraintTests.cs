using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;

namespace KvPrefetch.Tests.Provider;

/// <summary>What becomes of schemas that cannot be enforced: loosened and said once by name, or refused.</summary>
public sealed class AnswerConstraintTests : IDisposable
{
    // A reference to elsewhere is never followed.
    private const string Hopeless = """{"type":"object","properties":{"a":{"$ref":"http://169.254.169.254/x"}},"required":["a"]}""";
    private const string Fine = """{"type":"object","properties":{"unit":{"enum":["C","F"]}},"required":["unit"]}""";

    private readonly TinyModel _model = TinyModel.Create(new() { ContextLength = 2048, Std = 0.02 });
    private readonly Recorder _log = new();
    private readonly KvPrefetchChatClient _client;

    public AnswerConstraintTests() => _client = new KvPrefetchChatClient(Chat.Options(_model), _log);

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    private static AIFunctionDeclaration Function(string name, string schema, bool strict = false) =>
        strict ? new Strict(name, Parse(schema)) : AIFunctionFactory.CreateDeclaration(name, "", Parse(schema));

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;

    private static ChatOptions With(ChatToolMode mode, params AITool[] tools) => new() { Tools = [.. tools], ToolMode = mode, Seed = 1, MaxOutputTokens = 60 };

    [Fact]
    public async Task A_function_whose_schema_cannot_be_enforced_is_loosened_alone_and_named_once()
    {
        for (var round = 0; round < 3; round++)
        {
            var options = With(ChatToolMode.RequireSpecific("fine"), Function("fine", Fine), Function("hopeless", Hopeless));
            options.AllowMultipleToolCalls = false;
            var response = await _client.GetResponseAsync(Chat.User("?"), options, TestContext.Current.CancellationToken);
            var call = Assert.Single(response.Messages.Single().Contents.OfType<FunctionCallContent>());
            Assert.Equal(["unit"], call.Arguments!.Keys);
            await _client.GetResponseAsync(Chat.User("?"), With(ChatToolMode.RequireAny, Function("fine", Fine), Function("hopeless", Hopeless)), TestContext.Current.CancellationToken);
        }

        var sentence = Assert.Single(_log.Sentences, s => s.Contains("'hopeless'", StringComparison.Ordinal));
        Assert.Contains("any JSON object", sentence, StringComparison.Ordinal);
        Assert.DoesNotContain(_log.Sentences, s => s.Contains("'fine'", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_strict_function_whose_schema_cannot_be_enforced_is_refused_before_the_first_update(bool isAuto)
    {
        for (var round = 0; round < 2; round++)
        {
            var error = await Assert.ThrowsAsync<GrammarException>(() => _client.GetResponseAsync(Chat.User("?"), With(isAuto ? ChatToolMode.Auto : ChatToolMode.RequireAny, Function("fine", Fine), Function("hopeless", Hopeless, strict: true))));
            Assert.Equal("/properties/a/$ref", error.Pointer);
        }
    }

    [Fact]
    public async Task The_schema_of_a_response_is_refused_with_its_pointer_whatever_tools_are_there()
    {
        var options = With(ChatToolMode.Auto, Function("fine", Fine), Function("hopeless", Hopeless));
        options.ResponseFormat = ChatResponseFormat.ForJsonSchema(Parse(Hopeless));
        Assert.Equal("/properties/a/$ref", (await Assert.ThrowsAsync<GrammarException>(() => _client.GetResponseAsync(Chat.User("?"), options))).Pointer);
    }

    [Fact]
    public async Task Arguments_have_no_members_that_nobody_asked_for()
    {
        for (var seed = 0; seed < 10; seed++)
        {
            var options = With(ChatToolMode.RequireAny, Function("fine", Fine));
            (options.Seed, options.AllowMultipleToolCalls) = (seed, false);
            var response = await _client.GetResponseAsync(Chat.User("?"), options, TestContext.Current.CancellationToken);
            Assert.Equal(["unit"], Assert.Single(response.Messages.Single().Contents.OfType<FunctionCallContent>()).Arguments!.Keys);
        }
    }

    private sealed class Strict(string name, JsonElement schema) : AIFunctionDeclaration
    {
        public override string Name => name;
        public override JsonElement JsonSchema => schema;
        public override IReadOnlyDictionary<string, object?> AdditionalProperties { get; } = new Dictionary<string, object?>(StringComparer.Ordinal) { ["strict"] = true };
    }

    private sealed class Recorder : ILoggerFactory, ILogger
    {
        public List<string> Sentences { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Sentences)
            {
                Sentences.Add(formatter(state, exception));
            }
        }
    }
}
