using System.Runtime.CompilerServices;
using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Characters of the byte alphabet back to bytes; a token with any other character stays as it is. Then all is one text.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override bool IsMap => true;
    public override bool Fuses => true;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Map(ReadOnlySpan<byte> token, DecodeStage next)
    {
        var bytes = token.Length <= 256 ? stackalloc byte[256] : new byte[token.Length];
        next.Push(ByteAlphabet.TryToBytes(token, bytes, out var written) ? bytes[..written] : token);
    }

    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new MapStage(this, next)) : new MapStage(this, next);
}

/// <summary>Replaces a pattern in each token.</summary>
internal sealed class ReplaceDecoder(Pattern pattern, string content) : TokenDecoder
{
    private readonly byte[] _literal = pattern is LiteralPattern literal ? Encoding.UTF8.GetBytes(literal.Text) : [];
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    public override bool IsMap => true;

    public override void Map(ReadOnlySpan<byte> token, DecodeStage next)
    {
        if (_literal.Length > 0)
        {
            MapLiteral(token, next);
            return;
        }

        var text = Encoding.UTF8.GetString(token);
        var matches = new PieceList();
        pattern.FindAll(text, 0, matches);
        if (matches.Count == 0)
        {
            next.Push(token);
            return;
        }

        var result = new StringBuilder();
        var at = 0;
        foreach (var match in matches.Span)
        {
            result.Append(text, at, match.Start - at).Append(content);
            at = match.End;
        }

        next.Push(Encoding.UTF8.GetBytes(result.Append(text, at, text.Length - at).ToString()));
    }

    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new MapStage(this, next)) : new MapStage(this, next);

    /// <summary>Every token of a large vocabulary passes here at load, so no strings.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MapLiteral(ReadOnlySpan<byte> token, DecodeStage next)
    {
        var size = checked(token.Length / _literal.Length * Math.Max(0, _content.Length - _literal.Length) + token.Length);
        var result = size <= 512 ? stackalloc byte[512] : new byte[size];
        int written = 0, at = 0;
        while (at < token.Length)
        {
            if (token[at] == _literal[0] && token[at..].StartsWith(_literal))
            {
                _content.CopyTo(result[written..]);
                written += _content.Length;
                at += _literal.Length;
            }
            else
            {
                result[written++] = token[at++];
            }
        }

        next.Push(result[..written]);
    }
}

/// <summary>All tokens become one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override bool Fuses => true;

    public override DecodeStage Start(DecodeStage next, bool fused) => next;
}

/// <summary>Joins tokens with a space: what the reference does without a decoder.</summary>
internal sealed class JoinDecoder : TokenDecoder
{
    public override DecodeStage Start(DecodeStage next, bool fused) => new Stage(next);

    private sealed class Stage(DecodeStage next) : DecodeStage
    {
        private bool _any;

        public override void Push(ReadOnlySpan<byte> token)
        {
            if (_any)
            {
                next.Push(" "u8);
            }

            _any = true;
            next.Push(token);
        }

        public override void End() => next.End();
    }
}

/// <summary>Applies a stateless step to each token.</summary>
internal sealed class MapStage(TokenDecoder decoder, DecodeStage next) : DecodeStage
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Push(ReadOnlySpan<byte> token) => decoder.Map(token, next);

    public override void End() => next.End();
}

/// <summary>Waits for the whole of a fused token and hands it on in one piece.</summary>
internal sealed class GatherStage(DecodeStage next) : DecodeStage
{
    private readonly CollectStage _all = new();

    public override void Push(ReadOnlySpan<byte> token) => _all.Push(token);

    public override void End()
    {
        if (!_all.Bytes.IsEmpty)
        {
            next.Push(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(_all.Bytes)));
        }

        next.End();
    }
}
