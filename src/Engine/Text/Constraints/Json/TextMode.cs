using System.Text;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Within a text whose bytes an automaton reads. Values from zero are its states; below zero they number states within an escape.</summary>
internal abstract class TextMode(SchemaProgram program) : JsonMode(program)
{
    /// <summary>Nodes of the vocabulary's trie that a walk may come to before one over classes of bytes, which may have to be made first, is the shorter one.</summary>
    private const int MaxDirect = 6_000;

    private static readonly bool[] s_string = [.. Enumerable.Range(0, 256).Select(b => b is >= 0x20 and not '"' and not '\\')];

    private readonly List<Escape> _escapes = [];
    private readonly Dictionary<Escape, int> _escapeIds = [];
    private readonly Dictionary<int, bool> _any = [];
    private Region? _region;

    /// <summary>Bytes that <see cref="NextText"/> reads; others go through <see cref="Mode.Step"/>.</summary>
    public virtual bool[] OwnBytes => s_string;

    /// <summary>Set where states are this pool's expressions, so that walks can do without calls.</summary>
    public virtual ExprPool? SimplePool => null;

    /// <summary>The state after a byte of text; below zero where there is none.</summary>
    public abstract int NextText(int state, byte b);

    /// <summary>Whatever stays inside the text is allowed.</summary>
    public virtual bool IsFree(int state) => false;

    public override Cursor Step(in Cursor at, byte b)
    {
        if (at.Value < 0)
        {
            return StepEscape(at, b);
        }

        switch (b)
        {
            case (byte)'"':
                return Close(at);
            case (byte)'\\':
                return At(at, new Escape(at.Value, -1, 0, 0));
            case < 0x20:
                return default;
            default:
                var next = NextText(at.Value, b);
                return next < 0 ? default : at with { Value = next };
        }
    }

    /// <summary>A state that takes nothing that this one does not take, and has fewer states behind it; -1 where nothing is known of it.</summary>
    protected virtual int Widest(int state) => state;

    /// <summary>The state after a byte of text, where states are such as <see cref="Widest"/> gives; below zero where there is none.</summary>
    public virtual int NextWide(int state, byte b) => NextText(state, b);

    /// <summary>Bytes that no state tells apart which comes of this one by <see cref="NextWide"/>.</summary>
    protected abstract ByteClasses ClassesOf(int state);

    /// <summary>True where it is plain without a search that every text keeps the text alive.</summary>
    protected virtual bool IsSurelyFree(int state) => false;

    /// <summary>Allows tokens that stay inside and that <see cref="Widest"/> leaves out.</summary>
    protected virtual void WalkRest(int state, MaskWalk walk)
    {
    }

    /// <summary>Behind the closing quote.</summary>
    protected abstract Cursor Close(in Cursor at);

    /// <summary>Whether a character of a range may come.</summary>
    protected abstract bool AllowsAny(int state, int first, int last);

    protected override bool TakesSpace(int value) => false;

    public override void Walk(in Cursor at, MaskWalk walk)
    {
        if (at.Value < 0)
        {
            walk.Walk(walk.Vocabulary.Trie, at);
        }
        else if (TakesAny(at.Value))
        {
            walk.Vocabulary.Strings.AddPlain(walk.Mask);
            walk.WalkText(this, at, walk.Vocabulary.Strings.NotPlain);
        }
        else if ((!IsBounded(at.Value) && walk.TryWalkText(this, at, walk.Vocabulary.Trie, MaxDirect)) || TryWalkClasses(at, walk))
        {
            return;
        }
        else
        {
            walk.WalkText(this, at, walk.Vocabulary.Trie);
        }
    }

    private bool IsBounded(int state) => SimplePool is { } pool && pool.IsBounded(state, out _, out var min, out _) && min <= 1;

    /// <summary>Walks classes of bytes in place of bytes, where the text stands before a character.</summary>
    private bool TryWalkClasses(in Cursor at, MaskWalk walk)
    {
        var state = Widest(at.Value);
        if (state < 0 || !ReferenceEquals(OwnBytes, s_string) || IsWithinCharacter(state))
        {
            return false;
        }

        var bound = ExprPool.Infinite;
        if (IsBounded(state))
        {
            _ = Program.Pool.IsBounded(state, out state, out _, out bound);
        }

        var all = ClassesOf(state);
        _region ??= new Region(this);
        var classes = _region.ClassesFor(state, all, walk.Vocabulary.Strings.Frequencies);
        var trie = walk.Vocabulary.PlainOver(classes);
        if (trie.Count == 0 || !walk.TryWalkClasses(this, state, trie, bound, s => _region.IsUniform(s, classes, all)))
        {
            return false;
        }

        WalkRest(at.Value, walk);
        walk.WalkText(this, at, walk.Vocabulary.Strings.NotPlain);
        return true;
    }

    private bool IsWithinCharacter(int state)
    {
        for (var b = 0x80; b <= 0xBF; b++)
        {
            if (NextWide(state, (byte)b) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether every text keeps it alive: then tokens need not be looked at one by one.</summary>
    private bool TakesAny(int state)
    {
        state = Widest(state);
        if (state < 0 || !ReferenceEquals(OwnBytes, s_string) || IsBounded(state))
        {
            return false;
        }

        if (_any.TryGetValue(state, out var known))
        {
            return known;
        }

        if (IsSurelyFree(state))
        {
            return _any[state] = true;
        }

        // All pairs of a state and what is left of a character.
        const int maxPairs = 96;
        const int maxNew = 300;
        var pool = Program.Pool;
        var before = pool.Count;
        var members = ClassesOf(state).Members;
        List<(int State, int Text)> pairs = [(state, pool.AnyText)];
        HashSet<(int, int)> seen = [pairs[0]];
        var takes = true;
        for (var i = 0; i < pairs.Count && takes; i++)
        {
            var (at, text) = pairs[i];
            // From above: what is not ASCII is refused most often.
            for (var c = members.Length - 1; c >= 0 && takes; c--)
            {
                var b = members[c];
                var left = s_string[b] ? pool.Next(text, b) : ExprPool.Empty;
                if (left == ExprPool.Empty)
                {
                    continue;
                }

                var next = NextWide(at, b);
                takes = next >= 0 && seen.Count <= maxPairs && pool.Count - before <= maxNew;
                if (takes && seen.Add((next, left)))
                {
                    pairs.Add((next, left));
                }
            }
        }

        if (takes)
        {
            foreach (var (at, text) in pairs)
            {
                if (text == pool.AnyText)
                {
                    _any[at] = true;
                }
            }
        }

        return _any[state] = takes;
    }

    /// <summary>Whether a character of a range keeps a wide state alive.</summary>
    protected bool LivesAny(int state, int first, int last)
    {
        HashSet<(int, int)> seen = [];
        return Lives(state, Utf8Classes.Build(Program.Pool, first <= 0xD7FF && last >= 0xE000 ? [(first, 0xD7FF), (0xE000, last)] : [(first, last)]));

        bool Lives(int at, int character)
        {
            foreach (var (low, high, target) in Program.Pool.LiveRanges(character))
            {
                for (var b = low; b <= high; b++)
                {
                    var next = NextWide(at, (byte)b);
                    if (next >= 0 && seen.Add((next, target)) && (target == ExprPool.Epsilon || Lives(next, target)))
                    {
                        return true;
                    }
                }
            }

            return false;
        }
    }

    private Cursor StepEscape(in Cursor at, byte b)
    {
        var escape = _escapes[~at.Value];
        switch (escape.Digits)
        {
            case -1 when b == 'u':
                return At(at, escape with { Digits = 0 });
            case -1:
                var simple = "\"\\/bfnrt"u8.IndexOf(b);
                return simple < 0 || (b == '/' && Program.Canonical) ? default : Feed(at, escape.State, "\"\\/\b\f\n\r\t"[simple]);
            case -3:
                return b == '\\' ? At(at, escape with { Digits = -2 }) : default;
            case -2:
                return b == 'u' ? At(at, escape with { Digits = 0, Value = 0 }) : default;
        }

        var digit = StringTokens.Hex(b);
        if (digit < 0)
        {
            return default;
        }

        escape = escape with { Digits = escape.Digits + 1, Value = (escape.Value * 16) + digit };
        if (escape.Digits < 4)
        {
            return At(at, escape);
        }

        if (escape.High != 0)
        {
            return escape.Value is >= 0xDC00 and <= 0xDFFF ? Feed(at, escape.State, char.ConvertToUtf32((char)escape.High, (char)escape.Value)) : default;
        }

        return escape.Value is >= 0xD800 and <= 0xDBFF ? At(at, escape with { Digits = -3, High = escape.Value, Value = 0 })
            : escape.Value is >= 0xDC00 and <= 0xDFFF ? default
            : Feed(at, escape.State, escape.Value);
    }

    private Cursor Feed(in Cursor at, int state, int codePoint)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var length = new Rune(codePoint).EncodeToUtf8(utf8);
        foreach (var b in utf8[..length])
        {
            state = NextText(state, b);
            if (state < 0)
            {
                return default;
            }
        }

        return at with { Value = state };
    }

    /// <summary>The state within an escape; dead where no end of it is allowed.</summary>
    private Cursor At(in Cursor at, Escape escape)
    {
        if (!_escapeIds.TryGetValue(escape, out var id))
        {
            id = IsAlive(escape) ? _escapes.Count : -1;
            if (id >= 0)
            {
                _escapes.Add(escape);
            }

            _escapeIds.Add(escape, id);
            Program.Charge(80);
        }

        return id < 0 ? default : at with { Value = ~id };
    }

    private bool IsAlive(Escape escape)
    {
        if (Program.Canonical && escape.Digits >= 0)
        {
            // Only control characters are written by number.
            var low = escape.Value << (4 * (4 - escape.Digits));
            return low < 0x20 && escape.High == 0 && AllowsAny(escape.State, low, Math.Min(0x1F, low + (1 << (4 * (4 - escape.Digits))) - 1));
        }

        switch (escape.Digits)
        {
            case -1:
                if (AllowsAny(escape.State, 0, Program.Canonical ? 0x1F : 0x10FFFF))
                {
                    return true;
                }

                return AllowsAny(escape.State, '"', '"') || AllowsAny(escape.State, '\\', '\\');
            case < 0:
                var pairs = 0x10000 + ((escape.High - 0xD800) << 10);
                return AllowsAny(escape.State, pairs, pairs + 0x3FF);
        }

        var open = 4 * (4 - escape.Digits);
        var first = escape.Value << open;
        var last = first + (1 << open) - 1;
        if (escape.High != 0)
        {
            (first, last) = (Math.Max(first, 0xDC00), Math.Min(last, 0xDFFF));
            var pair = 0x10000 + ((escape.High - 0xD800) << 10);
            return first <= last && AllowsAny(escape.State, pair + first - 0xDC00, pair + last - 0xDC00);
        }

        if (first <= Math.Min(last, 0xD7FF) && AllowsAny(escape.State, first, Math.Min(last, 0xD7FF)))
        {
            return true;
        }

        if (last >= 0xE000 && AllowsAny(escape.State, Math.Max(first, 0xE000), last))
        {
            return true;
        }

        var (high, highest) = (Math.Max(first, 0xD800), Math.Min(last, 0xDBFF));
        return high <= highest && AllowsAny(escape.State, 0x10000 + ((high - 0xD800) << 10), 0x10000 + ((highest - 0xD800) << 10) + 0x3FF);
    }

    /// <summary>Where an escape stands.</summary>
    /// <param name="State">The text's state before it.</param>
    /// <param name="Digits">Hexadecimal digits read; -1 behind the backslash, -3 and -2 before the backslash and the u of the second half of a pair.</param>
    /// <param name="Value">Of the digits.</param>
    /// <param name="High">The first half of a pair, or 0.</param>
    private readonly record struct Escape(int State, int Digits, int Value, int High);
}
