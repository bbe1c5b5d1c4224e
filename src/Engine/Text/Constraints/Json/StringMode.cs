using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Within a string.</summary>
internal sealed class StringMode(Context context, TextState text) : TextMode(context.Program)
{
    public override ExprPool? SimplePool => text.IsSimple ? Program.Pool : null;

    public Cursor Begin(ReturnStack? stack) => text.Start < 0 ? default : new Cursor(this, text.Start, stack);

    public override int NextText(int state, byte b) => text.Next(state, b);

    public override bool IsFree(int state) => state >= 0 && text.IsSimple && !Program.Canonical && state == Program.Pool.AnyText;

    protected override bool IsSurelyFree(int state) => text.IsSimple && Program.Pool.TakesAnyText(state);

    public override int OnlyByte(in Cursor at)
    {
        if (!text.IsSimple || at.Value < 0 || !Program.Canonical)
        {
            return -1;
        }

        if (at.Value == ExprPool.Epsilon)
        {
            return '"';
        }

        var only = Program.Pool.OnlyByte(at.Value);
        return only is >= 0x20 and not '"' and not '\\' ? only : -1;
    }

    public override void Fill(in Cursor at, MaskWalk walk)
    {
        if (at.Value < 0 || !text.IsSimple || Program.Canonical || !Program.Pool.IsAnyChars(at.Value, out var min, out var max))
        {
            base.Fill(at, walk);
            return;
        }

        var tokens = walk.Vocabulary.Strings;
        tokens.AddContent(walk.Mask, max);
        if (max < tokens.Longest || min > 0)
        {
            walk.Walk(tokens.ClosingEscaped, at);
        }

        var after = at.Stack!.Return(Bits.None);
        if (after.IsDead || min > tokens.MaxBefore)
        {
            return;
        }

        if (min == 0 && max >= tokens.MaxBefore)
        {
            walk.WalkBelow(tokens.Closing, 0, after);
            walk.Walk(tokens.ClosingEscaped, at);
            return;
        }

        walk.WalkSome(tokens.Closing, 0, after, id => tokens.Before(id) >= min && tokens.Before(id) <= max);
    }

    protected override ByteClasses ClassesOf(int state) => text.Classes;

    protected override Cursor Close(in Cursor at) => text.CanClose(at.Value, out var failed) ? at.Stack!.Return(failed) : default;

    protected override bool AllowsAny(int state, int first, int last)
    {
        var pool = Program.Pool;
        return text.IsSimple
            ? state == ExprPool.All || pool.IsAnyChars(state, out _, out _) || !pool.IsEmpty(pool.And(state, pool.Concat(Utf8Classes.Build(pool, [(first, last)]), ExprPool.All)))
            : LivesAny(state, first, last);
    }
}
