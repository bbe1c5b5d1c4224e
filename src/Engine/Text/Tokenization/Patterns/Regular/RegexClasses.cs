namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Named classes of Oniguruma.</summary>
internal static class RegexClasses
{
    private static readonly Dictionary<string, uint> s_masks = new(StringComparer.Ordinal)
    {
        ["l"] = CodePoints.Letter, ["letter"] = CodePoints.Letter, ["lu"] = CodePoints.Lu, ["uppercaseletter"] = CodePoints.Lu, ["ll"] = CodePoints.Ll, ["lowercaseletter"] = CodePoints.Ll,
        ["lt"] = CodePoints.Lt, ["titlecaseletter"] = CodePoints.Lt, ["lc"] = CodePoints.Lu | CodePoints.Ll | CodePoints.Lt, ["casedletter"] = CodePoints.Lu | CodePoints.Ll | CodePoints.Lt,
        ["lm"] = CodePoints.Lm, ["modifierletter"] = CodePoints.Lm, ["lo"] = CodePoints.Lo, ["otherletter"] = CodePoints.Lo,
        ["m"] = CodePoints.Mark, ["mark"] = CodePoints.Mark, ["combiningmark"] = CodePoints.Mark, ["mn"] = CodePoints.Mn, ["nonspacingmark"] = CodePoints.Mn,
        ["mc"] = CodePoints.Mc, ["spacingmark"] = CodePoints.Mc, ["me"] = CodePoints.Me, ["enclosingmark"] = CodePoints.Me,
        ["n"] = CodePoints.Number, ["number"] = CodePoints.Number, ["nd"] = CodePoints.Nd, ["decimalnumber"] = CodePoints.Nd, ["digit"] = CodePoints.Nd,
        ["nl"] = CodePoints.Nl, ["letternumber"] = CodePoints.Nl, ["no"] = CodePoints.No, ["othernumber"] = CodePoints.No,
        ["z"] = CodePoints.Separator, ["separator"] = CodePoints.Separator, ["zs"] = CodePoints.Zs, ["spaceseparator"] = CodePoints.Zs, ["zl"] = CodePoints.Zl, ["lineseparator"] = CodePoints.Zl,
        ["zp"] = CodePoints.Zp, ["paragraphseparator"] = CodePoints.Zp,
        ["p"] = CodePoints.PunctuationMask, ["punctuation"] = CodePoints.PunctuationMask, ["pc"] = CodePoints.Pc, ["connectorpunctuation"] = CodePoints.Pc, ["pd"] = CodePoints.Pd,
        ["dashpunctuation"] = CodePoints.Pd, ["ps"] = CodePoints.Ps, ["openpunctuation"] = CodePoints.Ps, ["pe"] = CodePoints.Pe, ["closepunctuation"] = CodePoints.Pe,
        ["pi"] = CodePoints.Pi, ["initialpunctuation"] = CodePoints.Pi, ["pf"] = CodePoints.Pf, ["finalpunctuation"] = CodePoints.Pf, ["po"] = CodePoints.Po, ["otherpunctuation"] = CodePoints.Po,
        ["s"] = CodePoints.Symbol, ["symbol"] = CodePoints.Symbol, ["sm"] = CodePoints.Sm, ["mathsymbol"] = CodePoints.Sm, ["sc"] = CodePoints.Sc, ["currencysymbol"] = CodePoints.Sc,
        ["sk"] = CodePoints.Sk, ["modifiersymbol"] = CodePoints.Sk, ["so"] = CodePoints.So, ["othersymbol"] = CodePoints.So,
        ["c"] = CodePoints.Other, ["other"] = CodePoints.Other, ["cc"] = CodePoints.Cc, ["control"] = CodePoints.Cc, ["cntrl"] = CodePoints.Cc, ["cf"] = CodePoints.Cf, ["format"] = CodePoints.Cf,
        ["co"] = CodePoints.Co, ["privateuse"] = CodePoints.Co, ["cn"] = CodePoints.Cn, ["unassigned"] = CodePoints.Cn, ["cs"] = CodePoints.Cs, ["surrogate"] = CodePoints.Cs,
        ["any"] = uint.MaxValue, ["assigned"] = ~CodePoints.Cn, ["space"] = CodePoints.WhiteSpace, ["whitespace"] = CodePoints.WhiteSpace,
    };

    private static readonly Dictionary<string, CodePointBits> s_measured = new(StringComparer.Ordinal);

    public static CodePointBits Space => CodePointBits.OfMask(CodePoints.WhiteSpace);

    public static CodePointBits Digit => CodePointBits.OfMask(CodePoints.Nd);

    /// <summary><c>\w</c>, which outside of brackets has the superscripts and fractions of Latin-1 too.</summary>
    public static CodePointBits Word(bool inBrackets)
    {
        var bits = CodePointBits.OfMask(CodePoints.Word);
        if (!inBrackets)
        {
            foreach (var c in "\u00B2\u00B3\u00B9\u00BC\u00BD\u00BE")
            {
                bits.Add(c);
            }
        }

        return bits;
    }

    public static CodePointBits HexDigit
    {
        get
        {
            var bits = new CodePointBits();
            bits.AddRange('0', '9');
            bits.AddRange('a', 'f');
            bits.AddRange('A', 'F');
            return bits;
        }
    }

    /// <summary>The class of a name in <c>\p{...}</c>, or null.</summary>
    public static CodePointBits? Find(string name, bool inBrackets)
    {
        var key = Simplify(name);
        if (s_masks.TryGetValue(key, out var mask))
        {
            return CodePointBits.OfMask(mask);
        }

        return key switch
        {
            "word" => Word(inBrackets),
            "xdigit" or "asciihexdigit" or "ahex" => HexDigit,
            "ascii" => Range(0, 0x7F),
            "blank" => Blank(),
            _ => Measured(key),
        };
    }

    /// <summary>The class of a name in <c>[:...:]</c>, or null: one differs from the property of the same name.</summary>
    public static CodePointBits? FindPosix(string name) => name switch
    {
        "punct" => CodePointBits.OfMask(CodePoints.PunctuationMask | CodePoints.Symbol),
        _ => Find(name, inBrackets: true),
    };

    private static CodePointBits Range(int first, int last)
    {
        var bits = new CodePointBits();
        bits.AddRange(first, last);
        return bits;
    }

    private static CodePointBits Blank()
    {
        var bits = CodePointBits.OfMask(CodePoints.Zs);
        bits.Add('\t');
        return bits;
    }

    /// <summary>Scripts and derived properties, as Oniguruma has them.</summary>
    private static CodePointBits? Measured(string key)
    {
        lock (s_measured)
        {
            if (s_measured.Count == 0)
            {
                foreach (var entry in UnicodeTables.Properties.Split('\n'))
                {
                    var colon = entry.IndexOf(':', StringComparison.Ordinal);
                    var bits = new CodePointBits();
                    var bytes = Convert.FromBase64String(entry[(colon + 1)..]);
                    var at = 0;
                    var inside = false;
                    for (var i = 0; i < bytes.Length; inside = !inside)
                    {
                        var length = CodePoints.ReadNumber(bytes, ref i);
                        if (inside)
                        {
                            bits.AddRange(at, at + length - 1);
                        }

                        at += length;
                    }

                    s_measured.Add(entry[..colon], bits);
                }
            }

            if (!s_measured.TryGetValue(key, out var found))
            {
                return null;
            }

            var copy = new CodePointBits();
            copy.UnionWith(found);
            return copy;
        }
    }

    private static string Simplify(string name)
        => string.Concat(name.Where(c => c is not (' ' or '_' or '-')).Select(char.ToLowerInvariant));
}
