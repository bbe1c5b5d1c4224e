namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>True, false, or not known before more is read.</summary>
internal enum Truth : sbyte
{
    False = -1,
    Open = 0,
    True = 1,
}

/// <summary>What a schema says about one value: a formula over atoms, each of which looks at values of one type and is true of all others. Immutable.</summary>
internal sealed class Formula
{
    public static readonly Formula True = new(FormulaKind.And, [], null);
    public static readonly Formula False = new(FormulaKind.Or, [], null);

    private Formula(FormulaKind kind, Formula[] parts, Atom? atom)
    {
        (Kind, Parts, Atom) = (kind, parts, atom);
        // A part may be shared by many: what counts is how long evaluating takes.
        Size = atom is not null ? 1 : Math.Min(1_000_000, 1 + parts.Sum(p => p.Size));
    }

    public FormulaKind Kind { get; }

    public Formula[] Parts { get; }

    public Atom? Atom { get; }

    public int Size { get; }

    public bool IsTrue => ReferenceEquals(this, True);

    public bool IsFalse => ReferenceEquals(this, False);

    public static Formula Of(Atom atom) => new(FormulaKind.Atom, [], atom);

    public static Formula And(params IEnumerable<Formula> parts)
    {
        List<Formula> kept = [];
        foreach (var part in parts)
        {
            if (part.IsFalse)
            {
                return False;
            }

            if (part.Kind == FormulaKind.And)
            {
                kept.AddRange(part.Parts);
            }
            else
            {
                kept.Add(part);
            }
        }

        return kept.Count == 0 ? True : kept.Count == 1 ? kept[0] : new Formula(FormulaKind.And, [.. kept.Distinct()], null);
    }

    public static Formula Or(params IEnumerable<Formula> parts)
    {
        List<Formula> kept = [];
        foreach (var part in parts)
        {
            if (part.IsTrue)
            {
                return True;
            }

            if (part.Kind == FormulaKind.Or)
            {
                kept.AddRange(part.Parts);
            }
            else
            {
                kept.Add(part);
            }
        }

        return kept.Count == 0 ? False : kept.Count == 1 ? kept[0] : new Formula(FormulaKind.Or, [.. kept.Distinct()], null);
    }

    public static Formula Not(Formula part) => part.IsTrue ? False : part.IsFalse ? True : part.Kind == FormulaKind.Not ? part.Parts[0] : new Formula(FormulaKind.Not, [part], null);

    /// <summary>Exactly one of them.</summary>
    public static Formula One(IEnumerable<Formula> parts)
    {
        Formula[] kept = [.. parts.Where(p => !p.IsFalse)];
        var certain = kept.Count(p => p.IsTrue);
        return certain > 1 ? False : certain == 1 ? And(kept.Where(p => !p.IsTrue).Select(Not)) : kept.Length switch
        {
            0 => False,
            1 => kept[0],
            _ => new Formula(FormulaKind.One, kept, null),
        };
    }

    public static Formula If(Formula condition, Formula then, Formula otherwise) => And(Or(Not(condition), then), Or(condition, otherwise));

    /// <summary>Its truth, given that of the atoms by their numbers.</summary>
    public Truth Evaluate(Truth[] atoms)
    {
        Deep.Check();
        switch (Kind)
        {
            case FormulaKind.Atom:
                return atoms[Atom!.Id];
            case FormulaKind.Not:
                return (Truth)(-(int)Parts[0].Evaluate(atoms));
            case FormulaKind.And:
                var all = Truth.True;
                foreach (var part in Parts)
                {
                    var truth = part.Evaluate(atoms);
                    if (truth == Truth.False)
                    {
                        return Truth.False;
                    }

                    all = truth < all ? truth : all;
                }

                return all;
            case FormulaKind.Or:
                var any = Truth.False;
                foreach (var part in Parts)
                {
                    var truth = part.Evaluate(atoms);
                    if (truth == Truth.True)
                    {
                        return Truth.True;
                    }

                    any = truth > any ? truth : any;
                }

                return any;
            default:
                int certain = 0, open = 0;
                foreach (var part in Parts)
                {
                    var truth = part.Evaluate(atoms);
                    certain += truth == Truth.True ? 1 : 0;
                    open += truth == Truth.Open ? 1 : 0;
                    if (certain > 1)
                    {
                        return Truth.False;
                    }
                }

                return open > 0 ? Truth.Open : certain == 1 ? Truth.True : Truth.False;
        }
    }

    /// <summary>The same with other things in place of the atoms.</summary>
    public Formula Map(Func<Atom, Formula> map, Dictionary<Formula, Formula> done)
    {
        Deep.Check();
        if (done.TryGetValue(this, out var known))
        {
            return known;
        }

        var result = Kind switch
        {
            FormulaKind.Atom => map(Atom!),
            FormulaKind.And => And(Parts.Select(p => p.Map(map, done)).ToArray()),
            FormulaKind.Or => Or(Parts.Select(p => p.Map(map, done)).ToArray()),
            FormulaKind.Not => Not(Parts[0].Map(map, done)),
            _ => One(Parts.Select(p => p.Map(map, done)).ToArray()),
        };
        done.Add(this, result);
        return result;
    }

    public void CollectAtoms(HashSet<Atom> atoms, HashSet<Formula> seen)
    {
        Deep.Check();
        if (!seen.Add(this))
        {
            return;
        }

        if (Atom is not null)
        {
            atoms.Add(Atom);
        }

        foreach (var part in Parts)
        {
            part.CollectAtoms(atoms, seen);
        }
    }
}

internal enum FormulaKind : byte
{
    Atom,
    And,
    Or,
    Not,
    One,
}
