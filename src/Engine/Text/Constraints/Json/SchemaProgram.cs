namespace KvPrefetch.Engine.Text.Constraints.Json;

internal sealed class SchemaProgram
{
    public long Bytes => 0;
    public static SchemaProgram Compile(Machine machine, JsonPart part) => throw new NotSupportedException();
    public Cursor Start(Continuation? next) => default;
}
internal sealed class Formula;
