using System.Globalization;
using System.Text;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Samples.Tokens;

/// <summary>Prints tokens side by side: text on a background colour that changes from token to token, the id dim behind it; special tokens are bold.</summary>
internal static class TokenPrinter
{
    private const string Reset = "\e[0m", Dim = "\e[2m", Bold = "\e[1m";
    private static readonly string[] s_backgrounds = ["\e[48;5;24m", "\e[48;5;58m", "\e[48;5;53m", "\e[48;5;22m", "\e[48;5;94m"];

    public static void Print(Tokenizer tokenizer, ReadOnlySpan<int> ids, TextWriter output, bool colour)
    {
        for (var i = 0; i < ids.Length; i++)
        {
            var shown = Visible(tokenizer.GetTokenText(ids[i]));
            output.Write(colour
                ? $"{s_backgrounds[i % s_backgrounds.Length]}{(tokenizer.IsSpecial(ids[i]) ? Bold : "")}{shown}{Reset}{Dim}{ids[i]}{Reset} "
                : string.Create(CultureInfo.InvariantCulture, $"{ids[i],8}  {shown}{Environment.NewLine}"));
        }

        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{ids.Length} tokens"));
    }

    /// <summary>Control characters as their pictures; bytes that are no character of their own in hexadecimal.</summary>
    private static string Visible(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        while (!bytes.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(bytes, out var rune, out var used) != System.Buffers.OperationStatus.Done)
            {
                foreach (var b in bytes[..used])
                {
                    text.Append(CultureInfo.InvariantCulture, $"<{b:X2}>");
                }
            }
            else if (rune.Value < 0x20)
            {
                text.Append((char)(0x2400 + rune.Value));
            }
            else
            {
                text.Append(rune.ToString());
            }

            bytes = bytes[used..];
        }

        return text.ToString();
    }
}
