namespace KvPrefetch.Engine.Text.Templates;

internal static class CaseTable
{
    public static string? Upper(int code) => null;
    public static string? Lower(int code) => null;
    public static string? Title(int code) => null;
    public static string? Fold(int code) => null;
}
