namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Everything an encoding writes to: pooled by the tokenizer, used by one thread at a time, so that a token costs no garbage and no lock.</summary>
internal sealed class EncodeState
{
    /// <summary>The ids so far.</summary>
    public IntList Ids { get; } = new();

    /// <summary>Text being cut, and the one that a step writes instead.</summary>
    public TextBuffer Text { get; private set; } = new();
    public TextBuffer OtherText { get; private set; } = new();

    /// <summary>Pieces of <see cref="Text"/>, and the list that a step writes instead.</summary>
    public PieceList Pieces { get; private set; } = new();
    public PieceList OtherPieces { get; private set; } = new();

    /// <summary>Added tokens found before and after normalization.</summary>
    public List<AddedTokenMatch> RawMatches { get; } = [];
    public List<AddedTokenMatch> NormalizedMatches { get; } = [];

    /// <summary>What a pattern found.</summary>
    public PieceList Matches { get; } = new();

    /// <summary>Scratch of the models.</summary>
    public WordCache Words { get; } = new();
    public BpeScratch Bpe { get; } = new();
    public Lattice Lattice { get; } = new();
    public NormalizationScratch Normalization { get; } = new();
    public byte[] Utf8 { get; private set; } = new byte[256];
    public int[] Integers { get; private set; } = new int[256];

    /// <summary>True where the piece list begins at the very start of what the caller gave.</summary>
    public bool AtTextStart { get; set; }

    public void SwapText() => (Text, OtherText) = (OtherText, Text);

    public void SwapPieces() => (Pieces, OtherPieces) = (OtherPieces, Pieces);

    public Span<byte> Utf8Of(ReadOnlySpan<char> text)
    {
        var needed = checked(text.Length * 3);
        if (Utf8.Length < needed)
        {
            Utf8 = new byte[Math.Max(needed, Utf8.Length * 2)];
        }

        return Utf8.AsSpan(0, System.Text.Encoding.UTF8.GetBytes(text, Utf8));
    }

    public Span<int> IntegersOf(int length)
    {
        if (Integers.Length < length)
        {
            Integers = new int[Math.Max(length, Integers.Length * 2)];
        }

        return Integers.AsSpan(0, length);
    }
}
