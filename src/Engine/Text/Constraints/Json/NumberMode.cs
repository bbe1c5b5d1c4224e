using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Within a number. It is complete only when something else follows.</summary>
internal sealed class NumberMode(Context context, TextState text) : TextMode(context.Program)
{
    private static readonly bool[] s_own = [.. Enumerable.Range(0, 256).Select(b => b is (>= '0' and <= '9') or '-' or '+' or '.' or 'e' or 'E')];

    public override bool[] OwnBytes => s_own;

    public override ExprPool? SimplePool => text.IsSimple ? Program.Pool : null;

    public Cursor Begin(ReturnStack? stack, byte b) => text.Start < 0 || text.Next(text.Start, b) is not (>= 0 and var next) ? default : new Cursor(this, next, stack);

    public override int NextText(int state, byte b) => text.Next(state, b);

    public override Cursor Step(in Cursor at, byte b)
    {
        if (s_own[b])
        {
            var next = text.Next(at.Value, b);
            return next < 0 ? default : at with { Value = next };
        }

        var after = Close(at);
        return after.IsDead ? default : after.Step(b);
    }

    public override bool CanEnd(in Cursor at)
    {
        var after = Close(at);
        return !after.IsDead && after.CanEnd;
    }

    public override void Tokens(in Cursor at, List<(int Id, Cursor Next)> tokens)
    {
        var after = Close(at);
        after.Mode?.Tokens(after, tokens);
    }

    protected override ByteClasses ClassesOf(int state) => text.Classes;

    protected override Cursor Close(in Cursor at) => text.CanClose(at.Value, out var failed) ? at.Stack!.Return(failed) : default;

    protected override bool AllowsAny(int state, int first, int last) => false;
}
