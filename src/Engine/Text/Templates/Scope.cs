namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Variables of one block; inner blocks read outer variables and never set them. Names are the parser's own instances, so that finding one compares references.</summary>
internal sealed class Scope(RenderState state, Scope? parent)
{
    private string[] names = [];
    private Value[] values = [];
    private int count;

    public RenderState State { get; } = state;

    public Value? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            for (var i = 0; i < scope.count; i++)
            {
                if (ReferenceEquals(scope.names[i], name))
                {
                    return scope.values[i];
                }
            }
        }

        return null;
    }

    public void Set(string name, Value value)
    {
        for (var i = 0; i < count; i++)
        {
            if (ReferenceEquals(names[i], name))
            {
                values[i] = value;
                return;
            }
        }

        if (count == names.Length)
        {
            var size = Math.Max(4, count * 2);
            Array.Resize(ref names, size);
            Array.Resize(ref values, size);
        }

        names[count] = name;
        values[count++] = value;
    }

    public void Clear()
    {
        Array.Clear(values, 0, count);
        count = 0;
    }

    private Scope? Parent { get; } = parent;
}
