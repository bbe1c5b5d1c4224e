using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Ids of the tokens that are one character.</summary>
internal sealed class SymbolTable
{
    private readonly int[] _basic = new int[0x10000];
    private readonly Dictionary<int, int> _supplementary = [];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SymbolTable(Vocabulary vocabulary)
    {
        for (var id = 0; id < vocabulary.IdLimit; id++)
        {
            var text = vocabulary.Text(id);
            if (text.Length is 0 or > 4 || System.Text.Rune.DecodeFromUtf8(text, out var rune, out var used) != System.Buffers.OperationStatus.Done || used != text.Length)
            {
                continue;
            }

            if (rune.IsBmp)
            {
                _basic[rune.Value] = id + 1;
            }
            else
            {
                _supplementary[rune.Value] = id;
            }
        }
    }

    /// <summary>Id of the character's token, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int codePoint) => codePoint < 0x10000 ? _basic[codePoint] - 1 : _supplementary.GetValueOrDefault(codePoint, -1);
}
