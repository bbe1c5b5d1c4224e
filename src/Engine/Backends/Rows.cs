namespace KvPrefetch.Engine.Backends;

/// <summary>A view of activation rows: <c>[rows, columns]</c>, one row every <paramref name="Stride"/> elements, which may be 0 for what is only read, starting at column <paramref name="Column"/> of the buffer's rows.</summary>
internal readonly record struct Rows(DeviceBuffer Buffer, int Columns, int Stride, int Column = 0)
{
    /// <summary>The same rows, fewer columns.</summary>
    public Rows Slice(int column, int columns) => column >= 0 && columns >= 0 && column + columns <= Columns
        ? new Rows(Buffer, columns, Stride, Column + column)
        : throw new ArgumentOutOfRangeException(nameof(column), $"columns {column}..{column + columns} of {Columns}");
}
