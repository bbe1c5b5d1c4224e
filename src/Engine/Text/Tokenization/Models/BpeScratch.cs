namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Symbols of a word while a BPE merges them: a doubly linked list in arrays and a heap of candidate merges.</summary>
internal sealed class BpeScratch
{
    public int[] Id { get; private set; } = new int[512];
    public int[] Rank { get; private set; } = new int[512];
    public int[] Merged { get; private set; } = new int[512];
    public int[] Next { get; private set; } = [];
    public int[] Previous { get; private set; } = [];
    public ulong[] Heap { get; private set; } = [];

    public void Reserve(int symbols)
    {
        if (Id.Length < symbols)
        {
            var size = Math.Max(symbols, Id.Length * 2);
            Id = new int[size];
            Rank = new int[size];
            Merged = new int[size];
        }
    }

    public void ReserveList(int symbols)
    {
        if (Next.Length < symbols)
        {
            var size = Math.Max(symbols, Next.Length * 2);
            Next = new int[size];
            Previous = new int[size];
            // Each merge pushes at most two candidates and removes a symbol: at most n at first and two for each of n - 1 merges.
            Heap = new ulong[checked(size * 3)];
        }
    }
}
