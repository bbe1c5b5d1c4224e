using System.Security.Cryptography;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Names for calls: nine letters and digits, which the templates take that are strict about it.</summary>
internal static class CallIds
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    public static string New() => RandomNumberGenerator.GetString(Alphabet, 9);
}
