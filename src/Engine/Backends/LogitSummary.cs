using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary>Memory for what <see cref="IBackend.Summarise"/> is told and says of rows of logits: integers, so that a draw need not read the rows.</summary>
internal sealed class LogitSummary : IDisposable
{
    /// <summary>Tokens that a summary names at most.</summary>
    public const int Candidates = 256;

    /// <summary>Integers of a row's settings: bits of <see cref="SoftWeights.Scale"/>, or 0 where the largest logit is all that is wanted; the first word of the row's mask from the start of the settings, or 0 for none.</summary>
    public const int SettingLength = 2;

    /// <summary>Integers of a row's head: flags, lowest id of the largest logit (-1: all are forbidden), bits of the largest logit, number of candidates.</summary>
    public const int HeadLength = 4;

    /// <summary>Flags of a head: among the allowed logits is one that is not a number, or +infinity. What else is said of that row means nothing.</summary>
    public const int NotANumber = 1, Infinite = 2;

    public LogitSummary(IBackend backend, int rows, int vocabulary)
    {
        (Rows, Vocabulary) = (rows, vocabulary);
        Settings = backend.AllocateInts(checked(rows * (SettingLength + MaskWords)));
        Results = backend.AllocateInts(checked(rows * (HeadLength + BodyLength)));
    }

    /// <summary>Rows of one call at most.</summary>
    public int Rows { get; }
    public int Vocabulary { get; }

    /// <summary>Words of a mask: bit <c>id % 32</c> of word <c>id / 32</c> is set where the token is allowed.</summary>
    public int MaskWords => (Vocabulary + 31) / 32;

    /// <summary>Runs of <see cref="SoftWeights.Run"/> tokens.</summary>
    public int Runs => (Vocabulary + SoftWeights.Run - 1) / SoftWeights.Run;

    /// <summary>int32 <c>[rows, SettingLength]</c>, then masks.</summary>
    public DeviceBuffer Settings { get; }

    /// <summary>int32 <c>[Rows, HeadLength]</c>, then <c>[Rows, BodyLength]</c>.</summary>
    public DeviceBuffer Results { get; }

    /// <summary>Integers of a row's body, which is written where a scale was given: ids of the candidates, bits of their logits, and for each run the sum of its weights as a double's low and high half.</summary>
    public int BodyLength => (2 * Candidates) + (2 * Runs);

    /// <summary>Where a row's body begins in <see cref="Results"/>.</summary>
    public int Body(int row) => (Rows * HeadLength) + (row * BodyLength);

    public void Dispose()
    {
        Settings.Dispose();
        Results.Dispose();
    }
}
