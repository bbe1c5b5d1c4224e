namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Runs a <see cref="RegexProgram"/> by backtracking over code points, with a stack of its own and a budget of steps.</summary>
internal ref struct RegexMatcher
{
    private readonly RegexInstruction[] _code;
    private readonly ReadOnlySpan<char> _text;
    private readonly int[] _slots;
    private readonly RegexStack _stack;
    private readonly long _budget;
    private long _steps;

    public RegexMatcher(RegexProgram program, ReadOnlySpan<char> text, RegexStack stack)
    {
        _code = program.Code;
        _text = text;
        _stack = stack;
        _slots = stack.Slots(program.Slots);
        _budget = 1_000_000 + (200L * text.Length);
        SearchStart = 0;
    }

    /// <summary>Where this search began, for <c>\G</c>.</summary>
    public int SearchStart { get; set; }

    /// <summary>End of the match that begins at <paramref name="position"/>, or -1.</summary>
    public int MatchAt(int position) => Run(0, position, position);

    private int Run(int pc, int position, int origin)
    {
        var bottom = _stack.Count;
        while (true)
        {
            if (++_steps > _budget)
            {
                throw TokenizerErrors.Format("PatternBudget", $"A split pattern of the tokenizer takes more than {_budget} steps for {_text.Length} characters.");
            }

            ref readonly var instruction = ref _code[pc];
            var ok = true;
            switch (instruction.Op)
            {
                case RegexOp.Set:
                    if (position < _text.Length && instruction.Set!.Contains(CodePoints.At(_text, position, out var length)))
                    {
                        position += length;
                        pc++;
                    }
                    else
                    {
                        ok = false;
                    }

                    break;
                case RegexOp.GreedyRun or RegexOp.PossessiveRun:
                    ok = ReadRun(instruction, pc, ref position, gives: instruction.Op == RegexOp.GreedyRun);
                    pc++;
                    break;
                case RegexOp.LazyRun:
                    ok = ReadLazily(instruction, pc, ref position);
                    pc++;
                    break;
                case RegexOp.Split:
                    _stack.Push(new RegexEntry(EntryKind.Resume, instruction.Y, position, 0));
                    pc = instruction.X;
                    break;
                case RegexOp.Jump:
                    pc = instruction.X;
                    break;
                case RegexOp.Mark:
                    _stack.Push(new RegexEntry(EntryKind.Slot, instruction.X, _slots[instruction.X], 0));
                    _slots[instruction.X] = position;
                    pc++;
                    break;
                case RegexOp.LoopUnlessEmpty:
                    pc = _slots[instruction.X] == position ? pc + 1 : instruction.Y;
                    break;
                case RegexOp.Atomic:
                    position = Sub(instruction.X, position, origin);
                    ok = position >= 0;
                    pc = instruction.Y;
                    break;
                case RegexOp.LookAhead or RegexOp.NotAhead:
                    ok = Sub(instruction.X, position, origin) >= 0 == (instruction.Op == RegexOp.LookAhead);
                    pc = instruction.Y;
                    break;
                case RegexOp.LookBehind or RegexOp.NotBehind:
                    ok = IsBehind(instruction, position) == (instruction.Op == RegexOp.LookBehind);
                    pc = instruction.Y;
                    break;
                case RegexOp.Anchor:
                    ok = Holds((AnchorKind)instruction.X, position);
                    pc++;
                    break;
                case RegexOp.AcceptBehind when position != origin:
                    ok = false;
                    break;
                default:
                    _stack.Count = bottom;
                    return position;
            }

            if (!ok && !Backtrack(bottom, ref pc, ref position))
            {
                return -1;
            }
        }
    }

    private int Sub(int pc, int position, int origin)
    {
        var bottom = _stack.Count;
        var end = Run(pc, position, origin);
        _stack.Count = bottom;
        return end;
    }

    private bool IsBehind(in RegexInstruction instruction, int position)
    {
        var start = position;
        var walked = 0;
        foreach (var distance in instruction.Distances!)
        {
            for (; walked < distance; walked++)
            {
                if (start == 0)
                {
                    return false;
                }

                CodePoints.Before(_text, start, out var length);
                start -= length;
            }

            if (Sub(instruction.X, start, position) >= 0)
            {
                return true;
            }
        }

        return false;
    }

    private bool ReadRun(in RegexInstruction instruction, int pc, ref int position, bool gives)
    {
        var set = instruction.Set!;
        var count = 0;
        var least = position;
        while (count < instruction.Y && position < _text.Length && set.Contains(CodePoints.At(_text, position, out var length)))
        {
            position += length;
            if (++count == instruction.X)
            {
                least = position;
            }
        }

        if (count < instruction.X)
        {
            return false;
        }

        if (gives && position > least)
        {
            _stack.Push(new RegexEntry(EntryKind.GiveBack, pc + 1, position, least));
        }

        return true;
    }

    private readonly bool ReadLazily(in RegexInstruction instruction, int pc, ref int position)
    {
        for (var count = 0; count < instruction.X; count++)
        {
            if (position >= _text.Length || !instruction.Set!.Contains(CodePoints.At(_text, position, out var length)))
            {
                return false;
            }

            position += length;
        }

        if (instruction.Y > instruction.X)
        {
            _stack.Push(new RegexEntry(EntryKind.TakeMore, pc, position, instruction.Y == int.MaxValue ? int.MaxValue : instruction.Y - instruction.X));
        }

        return true;
    }

    private readonly bool Backtrack(int bottom, ref int pc, ref int position)
    {
        while (_stack.Count > bottom)
        {
            ref var entry = ref _stack.Top;
            switch (entry.Kind)
            {
                case EntryKind.Slot:
                    _slots[entry.Pc] = entry.Position;
                    _stack.Count--;
                    continue;
                case EntryKind.GiveBack:
                    _ = CodePoints.Before(_text, entry.Position, out var length);
                    position = entry.Position - length;
                    pc = entry.Pc;
                    if (position > entry.Extra)
                    {
                        entry = entry with { Position = position };
                    }
                    else
                    {
                        _stack.Count--;
                    }

                    return true;
                case EntryKind.TakeMore:
                    if (entry.Extra == 0 || entry.Position >= _text.Length || !_code[entry.Pc].Set!.Contains(CodePoints.At(_text, entry.Position, out length)))
                    {
                        _stack.Count--;
                        continue;
                    }

                    position = entry.Position + length;
                    pc = entry.Pc + 1;
                    entry = entry with { Position = position, Extra = entry.Extra == int.MaxValue ? int.MaxValue : entry.Extra - 1 };
                    return true;
                default:
                    position = entry.Position;
                    pc = entry.Pc;
                    _stack.Count--;
                    return true;
            }
        }

        return false;
    }

    private readonly bool Holds(AnchorKind kind, int position) => kind switch
    {
        AnchorKind.TextStart => position == 0,
        AnchorKind.TextEnd => position == _text.Length,
        AnchorKind.TextEndOrLastLine => position == _text.Length || (position == _text.Length - 1 && _text[position] == '\n'),
        AnchorKind.LineStart => position == 0 || (_text[position - 1] == '\n' && position < _text.Length),
        AnchorKind.LineEnd => position == _text.Length || _text[position] == '\n',
        AnchorKind.SearchStart => position == SearchStart,
        AnchorKind.WordBoundary => IsWordBoundary(position),
        _ => !IsWordBoundary(position),
    };

    private readonly bool IsWordBoundary(int position)
    {
        var before = position > 0 && IsWord(CodePoints.Before(_text, position, out _));
        var after = position < _text.Length && IsWord(CodePoints.At(_text, position, out _));
        return before != after;
    }

    private static bool IsWord(int codePoint) => CodePoints.Is(codePoint, CodePoints.Word) || codePoint is 0xB2 or 0xB3 or 0xB9 or 0xBC or 0xBD or 0xBE;
}

internal enum EntryKind
{
    Resume,
    GiveBack,
    TakeMore,
    Slot,
}

/// <summary>Something to try next, or to put back.</summary>
internal readonly record struct RegexEntry(EntryKind Kind, int Pc, int Position, int Extra);

/// <summary>The stack of a matcher, kept for the next one.</summary>
internal sealed class RegexStack
{
    private RegexEntry[] _entries = new RegexEntry[64];
    private int[] _slots = [];

    public int Count { get; set; }

    public ref RegexEntry Top => ref _entries[Count - 1];

    public void Push(RegexEntry entry)
    {
        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Count * 2);
        }

        _entries[Count++] = entry;
    }

    public int[] Slots(int count)
    {
        if (_slots.Length < count)
        {
            _slots = new int[count];
        }

        return _slots;
    }
}
