namespace KvPrefetch.Engine.Backends;

/// <summary>Everything a step needs, as one value. Integer arrays live in backend memory and are uploaded once per step.
/// Rows of a step: the tokens of sequence 0, then of sequence 1, and so on.</summary>
internal readonly struct StepInputs
{
    /// <summary>Rows of this step, over all sequences.</summary>
    public required int TokenCount { get; init; }
    public required int SequenceCount { get; init; }

    /// <summary>Rows whose logits are wanted.</summary>
    public required int SampleCount { get; init; }

    /// <summary>int32 <c>[tokens]</c></summary>
    public required Ints TokenIds { get; init; }

    /// <summary>int32 <c>[tokens]</c>: position in the token's own sequence, from 0.</summary>
    public required Ints Positions { get; init; }

    /// <summary>int32 <c>[tokens]</c>: the length that a length-dependent rotation takes for this token: the whole prompt's for a token of the prompt,
    /// its own position + 1 afterwards. It does not depend on how the prompt is cut into chunks.</summary>
    public required Ints RotaryLengths { get; init; }

    /// <summary>int32 <c>[sequences + 1]</c>: first row of each sequence.</summary>
    public required Ints RowStarts { get; init; }

    /// <summary>int32 <c>[groups, sequences]</c>, one group of layers every <see cref="TableStride"/> elements: where in <see cref="BlockTables"/> the page with the sequence's first token would stand.
    /// Below 0 is possible: pages that have left the window have no entry, and none is read.</summary>
    public required Ints BlockTableStarts { get; init; }

    /// <summary>Elements from one group's starts to the next one's.</summary>
    public required int TableStride { get; init; }

    /// <summary>int32: page numbers of all sequences and groups, one table after the other.</summary>
    public required Ints BlockTables { get; init; }

    /// <summary>int32 <c>[samples]</c>: rows whose logits are wanted.</summary>
    public required Ints SampleRows { get; init; }

    /// <summary>int32 <c>[sequences]</c>: the sequence's slot in <see cref="States"/>.</summary>
    public required Ints Slots { get; init; }

    public required KvPages Pages { get; init; }

    /// <summary>States of recurrent layers; a sequence whose first row has position 0 starts from zeros, whatever its slot holds.</summary>
    public required StateSlots States { get; init; }

    /// <summary>int32 <c>[sequences]</c>: <see cref="BlockTableStarts"/> of the group that a layer belongs to.</summary>
    public Ints TableStarts(int layer) => new(BlockTableStarts.Buffer, BlockTableStarts.Start + (Pages.Layout.Group(layer) * TableStride));
}
