using System.Text;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Within the key of a member. Values are the plan's states of keys; where keys are counted, numbers of such states with the text read.</summary>
internal sealed class KeyMode(ObjectFrame frame) : TextMode(frame.Context.Program)
{
    private readonly List<(int Key, string Text)> _tracked = [];
    private readonly Dictionary<(int, string), int> _trackedIds = [];
    private readonly ObjectPlan _plan = frame.Plan;

    public Cursor Begin(ReturnStack? stack) => new(this, frame.TracksKeys ? Track(_plan.Start, "") : _plan.Start, stack);

    public override int NextText(int state, byte b)
    {
        var key = frame.TracksKeys ? _tracked[state].Key : state;
        var next = _plan.Next(key, b);
        return next < 0 || !frame.IsKeyAlive(next) ? -1 : frame.TracksKeys ? Track(next, _tracked[state].Text + (char)b) : next;
    }

    public override bool IsFree(int state) => state >= 0 && !frame.TracksKeys && !Program.Canonical && _plan.IsPlain(state) && frame.OthersAllowed;

    public override int OnlyByte(in Cursor at)
    {
        if (at.Value < 0 || !Program.Canonical || frame.TracksKeys || frame.OthersAllowed)
        {
            return -1;
        }

        var (low, high, depth) = _plan.Candidates(at.Value);
        var only = -1;
        for (var i = low; i < high; i++)
        {
            if (!frame.Names[i])
            {
                continue;
            }

            var b = _plan.Names[i].Length == depth ? (byte)'"' : _plan.Names[i][depth];
            if (b is < 0x20 or (byte)'\\' || (b == '"' && _plan.Names[i].Length > depth) || (only >= 0 && only != b))
            {
                return -1;
            }

            only = b;
        }

        return only;
    }

    public override void Walk(in Cursor at, MaskWalk walk)
    {
        if (!IsFree(at.Value))
        {
            base.Walk(at, walk);
            return;
        }

        var tokens = walk.Vocabulary.Strings;
        tokens.AddContent(walk.Mask, int.MaxValue);
        walk.Walk(tokens.ClosingEscaped, at);
        if (tokens.Closing.Count == 0)
        {
            return;
        }

        // As if no known key were there; then those whose end a token can bring are looked at one by one.
        if (Other(at) is { IsDead: false } other)
        {
            walk.WalkBelow(tokens.Closing, 0, other);
        }

        var trie = tokens.ClosingWhole;
        var (low, high, depth) = _plan.Candidates(at.Value);
        for (var i = low; i < high; i++)
        {
            var node = trie.Find(_plan.Names[i].AsSpan(depth), (byte)'"');
            if (node < 0)
            {
                continue;
            }

            for (var t = trie.First[node]; t < trie.First[trie.End[node]]; t++)
            {
                walk.Forbid(trie.Tokens[t]);
            }

            if (frame.Slot(_plan.ClassOfName(i), "") is { } slot)
            {
                walk.WalkBelow(trie, node, new Cursor(slot.Colon, 0, at.Stack));
            }
        }
    }

    /// <summary>Known keys aside: what stays alive without them does so with them.</summary>
    protected override int Widest(int state)
    {
        var key = _plan.WithoutNames(frame.TracksKeys ? _tracked[state].Key : state);
        return frame.IsKeyAlive(key) ? key : -1;
    }

    public override int NextWide(int state, byte b)
    {
        var next = _plan.Next(state, b);
        return next < 0 || !frame.IsKeyAlive(next) ? -1 : next;
    }

    /// <summary>Whatever the key becomes, it may come.</summary>
    protected override bool IsSurelyFree(int state) => _plan.IsBeforeCharacter(state) && frame.AllowsAll(state);

    protected override ByteClasses ClassesOf(int state) => _plan.Classes;

    protected override void WalkRest(int state, MaskWalk walk)
    {
        var (low, high, depth) = _plan.Candidates(frame.TracksKeys ? _tracked[state].Key : state);
        for (var i = low; i < high; i++)
        {
            if (frame.Names[i])
            {
                walk.AllowAlong(walk.Vocabulary.Strings.Plain, _plan.Names[i].AsSpan(depth));
            }
        }
    }

    protected override Cursor Close(in Cursor at)
    {
        var (key, text) = frame.TracksKeys ? _tracked[at.Value] : (at.Value, "");
        return _plan.Class(key) is { } kind && frame.Slot(kind, kind.Name < 0 && text.Length == 0 && frame.TracksKeys ? "\u0001" : kind.Name < 0 ? text : "") is { } slot
            ? new Cursor(slot.Colon, 0, at.Stack)
            : default;
    }

    protected override bool AllowsAny(int state, int first, int last)
    {
        var key = frame.TracksKeys ? _tracked[state].Key : state;
        var (low, high, depth) = _plan.Candidates(key);
        for (var i = low; i < high; i++)
        {
            if (frame.Names[i] && Rune.DecodeFromUtf8(_plan.Names[i].AsSpan(depth), out var rune, out _) == System.Buffers.OperationStatus.Done && rune.Value >= first && rune.Value <= last)
            {
                return true;
            }
        }

        if (!frame.OthersAllowed)
        {
            return false;
        }

        // One character of the range, then whatever keeps a key alive.
        return LivesAny(_plan.WithoutNames(key), first, last);
    }

    private Cursor Other(in Cursor at) => _plan.OtherKinds(at.Value) is [var kind] && frame.Slot(kind, "") is { } slot ? new Cursor(slot.Colon, 0, at.Stack) : default;

    private int Track(int key, string text)
    {
        if (!_trackedIds.TryGetValue((key, text), out var id))
        {
            _trackedIds.Add((key, text), id = _tracked.Count);
            _tracked.Add((key, text));
            Program.Charge(80 + (2 * text.Length));
        }

        return id;
    }
}
