using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>One running step of a decoding: takes tokens (UTF-8), hands on what is certain. After <see cref="FuseDecoder"/> the calls are parts of one long token.</summary>
internal abstract class DecodeStage
{
    public abstract void Push(ReadOnlySpan<byte> token);

    /// <summary>No more tokens: hands on what was held back.</summary>
    public abstract void End();
}

/// <summary>Last step: collects bytes.</summary>
internal sealed class CollectStage : DecodeStage
{
    private byte[] _bytes = new byte[256];
    private int _count;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _count);

    public void Clear() => _count = 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Push(ReadOnlySpan<byte> token)
    {
        var needed = checked(_count + token.Length);
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(needed, checked(_bytes.Length * 2)));
        }

        token.CopyTo(_bytes.AsSpan(_count));
        _count = needed;
    }

    public override void End()
    {
    }
}

/// <summary>A step of a decoding, immutable; <see cref="Start"/> makes its running form.</summary>
internal abstract class TokenDecoder
{
    /// <summary>True where tokens pass one by one without any memory; then <see cref="Map"/> does it all, once a token at load.</summary>
    public virtual bool IsMap => false;

    /// <summary>True where what follows sees one long token.</summary>
    public virtual bool Fuses => false;

    /// <summary>Hands on the token as this step turns it.</summary>
    public virtual void Map(ReadOnlySpan<byte> token, DecodeStage next) => throw new NotSupportedException();

    /// <param name="next">Receives this step's tokens.</param>
    /// <param name="fused">The calls to come are parts of one token.</param>
    public abstract DecodeStage Start(DecodeStage next, bool fused);
}
