using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI;

/// <summary>Log-probabilities of an answer's tokens, of the model's own distribution (<see cref="TokenLogprobs"/>). Updates carry theirs as objects (RawRepresentation); the last one, and with it the
/// message of the response, carries all of them as JSON in OpenAI's form, <c>{"content":[{"token","logprob","bytes","top_logprobs":[{"token","logprob","bytes"}]}]}</c>: one entry for each token
/// that the model generated, in order, reasoning, calls and the token that ended the answer included.</summary>
internal sealed class AnswerLogprobs(Tokenizer tokenizer)
{
    /// <summary>Of ChatOptions.AdditionalProperties, and of the response's.</summary>
    public const string Name = "logprobs";

    // JSON has no infinities; this is what stands for one where OpenAI's form is spoken.
    private const float Least = -9999f;

    private readonly List<TokenLogprobs> _all = [];
    private int _given;

    public void Add(TokenLogprobs logprobs) => _all.Add(logprobs);

    /// <summary>Those that came since the last call.</summary>
    public IReadOnlyList<TokenLogprobs> TakeNew()
    {
        var news = _all[_given..];
        _given = _all.Count;
        return news;
    }

    public JsonElement ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("content");
            foreach (var token in _all)
            {
                json.WriteStartObject();
                Write(json, token.Chosen);
                json.WriteStartArray("top_logprobs");
                foreach (var other in token.Top)
                {
                    json.WriteStartObject();
                    Write(json, other);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.ToArray());
        return document.RootElement.Clone();
    }

    private void Write(Utf8JsonWriter json, TokenLogprob token)
    {
        // A model may have more rows than its vocabulary has tokens.
        var bytes = token.Token < tokenizer.VocabularySize ? tokenizer.GetTokenBytes(token.Token) : [];
        json.WriteString("token", Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logprob", Math.Max(token.Logprob, Least));
        json.WriteStartArray("bytes");
        foreach (var value in bytes)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
