namespace KvPrefetch.Engine.Backends;

/// <summary><see cref="IBackend.LinearByHead"/> made of other verbs, for backends and weights without a form of their own.</summary>
internal static class HeadProducts
{
    public static void OneByOne(IBackend backend, Rows x, int kept, ReadOnlySpan<Projection> heads, Rows output, int rows)
    {
        int from = x.Columns / heads.Length, to = output.Columns / heads.Length;
        for (var h = 0; h < heads.Length; h++)
        {
            if (kept > 0)
            {
                backend.Activate(x.Slice(h * from, kept), ActivationKind.Identity, output.Slice(h * to, kept), rows);
            }

            backend.Linear(x.Slice((h * from) + kept, from - kept), heads.Slice(h, 1), output.Slice((h * to) + kept, to - kept), rows);
        }
    }
}
