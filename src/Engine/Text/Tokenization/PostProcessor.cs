namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Special tokens around a text: their ids in order, <see cref="Text"/> where the text's own ids go.</summary>
internal sealed class PostProcessor(IReadOnlyList<int> items)
{
    /// <summary>Stands for the text.</summary>
    public const int Text = -1;

    public static PostProcessor None { get; } = new([Text]);

    public IReadOnlyList<int> Items { get; } = items;

    /// <summary>What <paramref name="outer"/> does to the result of this.</summary>
    public PostProcessor Then(PostProcessor outer)
    {
        var joined = new List<int>();
        foreach (var item in outer.Items)
        {
            if (item == Text)
            {
                joined.AddRange(Items);
            }
            else
            {
                joined.Add(item);
            }
        }

        return new PostProcessor(joined);
    }

    public int[] Apply(ReadOnlySpan<int> ids)
    {
        var result = new List<int>(ids.Length + Items.Count);
        foreach (var item in Items)
        {
            if (item == Text)
            {
                result.AddRange(ids);
            }
            else
            {
                result.Add(item);
            }
        }

        return result.ToArray();
    }
}
