using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Makes the atoms of a schema: what its assertions say themselves, without the schemas in it that apply to the same value.</summary>
internal sealed class SchemaAtoms(ExprPool pool, SchemaCompiler compiler)
{
    private const int MaxLength = 1_000_000;
    private const int MaxMinimum = 100_000;
    private const int MaxEnum = 50_000;
    private const int MaxEnumText = 4 << 20;

    private readonly Dictionary<string, KeyAtom> _keys = new(StringComparer.Ordinal);
    private readonly Dictionary<JsonTypes, TypeAtom> _types = [];
    private NumberAtom? _integer;

    public int Count { get; private set; }

    private int Draft => compiler.Index.Draft;

    public KeyAtom Key(string name)
    {
        if (!_keys.TryGetValue(name, out var atom))
        {
            _keys.Add(name, atom = new KeyAtom(Next(), name));
        }

        return atom;
    }

    public void Add(SchemaNode node, List<Formula> parts, int depth)
    {
        if (node.Member("type") is { } type)
        {
            parts.Add(Type(type));
        }

        if (node.Member("enum") is { } values)
        {
            parts.Add(Enum(values, depth));
        }

        if (node.Member("const") is { } value && Draft >= 6)
        {
            parts.Add(Values([value], depth));
        }

        AddNumbers(node, parts);
        AddStrings(node, parts);
        AddObjects(node, parts, depth);
        AddArrays(node, parts, depth);
    }

    private Formula Type(SchemaNode node)
    {
        string[] names = node.Element.ValueKind switch
        {
            JsonValueKind.String => [node.StringValue()],
            JsonValueKind.Array => [.. node.Items().Select(item => item.Element.ValueKind == JsonValueKind.String ? item.StringValue() : throw GrammarErrors.Invalid("The name of a type is a string", item.Pointer))],
            _ => throw GrammarErrors.Invalid("type is the name of a type, or an array of them", node.Pointer),
        };
        var types = JsonTypes.None;
        var integer = false;
        foreach (var name in names)
        {
            types |= name switch
            {
                "null" => JsonTypes.Null,
                "boolean" => JsonTypes.Boolean,
                "number" => JsonTypes.Number,
                "integer" => JsonTypes.None,
                "string" => JsonTypes.String,
                "object" => JsonTypes.Object,
                "array" => JsonTypes.Array,
                _ => throw GrammarErrors.Invalid($"'{GrammarErrors.Shown(name)}' is no type", node.Pointer),
            };
            integer |= name == "integer";
        }

        if (!integer || (types & JsonTypes.Number) != JsonTypes.None)
        {
            return OfTypes(types);
        }

        return Formula.And(OfTypes(types | JsonTypes.Number), Formula.Of(_integer ??= new NumberAtom(Next(), Integer)));
    }

    private Formula OfTypes(JsonTypes types)
    {
        if (types == JsonTypes.All)
        {
            return Formula.True;
        }

        if (types == JsonTypes.None)
        {
            return Formula.False;
        }

        if (!_types.TryGetValue(types, out var atom))
        {
            _types.Add(types, atom = new TypeAtom(Next(), types));
        }

        return Formula.Of(atom);
    }

    /// <summary>Since draft 6, 1.0 is an integer.</summary>
    private int Integer() => pool.Concat(NumberSyntax.Sign(pool), NumberSyntax.Whole(pool),
        Draft < 6 ? ExprPool.Epsilon : pool.Optional(pool.Concat(pool.Byte((byte)'.'), pool.Repeat(pool.Byte((byte)'0'), 1, ExprPool.Infinite))));

    private Formula Enum(SchemaNode node, int depth)
    {
        if (node.Element.ValueKind != JsonValueKind.Array)
        {
            throw GrammarErrors.Invalid("enum is an array", node.Pointer);
        }

        if (node.Element.GetArrayLength() > MaxEnum)
        {
            throw GrammarErrors.Limit(FormattableString.Invariant($"enum has {node.Element.GetArrayLength()} values; at most {MaxEnum} are allowed"), node.Pointer);
        }

        return Values([.. node.Items()], depth);
    }

    private Formula Values(IReadOnlyList<SchemaNode> values, int depth)
    {
        Deep.Check();
        List<byte[]> texts = [];
        List<Decimal10> numbers = [];
        var types = JsonTypes.None;
        List<Formula> structures = [];
        var total = 0L;
        foreach (var value in values)
        {
            switch (value.Element.ValueKind)
            {
                case JsonValueKind.String:
                    texts.Add(Encoding.UTF8.GetBytes(value.StringValue()));
                    total += texts[^1].Length;
                    break;
                case JsonValueKind.Number:
                    numbers.Add(Decimal10.Parse(value.Element.GetRawText()) ?? throw GrammarErrors.Limit("The number has too many digits", value.Pointer));
                    break;
                case JsonValueKind.Null:
                    types |= JsonTypes.Null;
                    break;
                case JsonValueKind.True:
                    types |= JsonTypes.True;
                    break;
                case JsonValueKind.False:
                    types |= JsonTypes.False;
                    break;
                default:
                    structures.Add(Structure(value, depth + 1));
                    break;
            }
        }

        if (total > MaxEnumText)
        {
            throw GrammarErrors.Limit($"The texts of enum are longer than {MaxEnumText} bytes", values[0].Pointer);
        }

        List<Formula> scalars = [];
        if (texts.Count > 0)
        {
            types |= JsonTypes.String;
            scalars.Add(Formula.Of(new StringAtom(Next(), () => pool.Literals(texts))));
        }

        if (numbers.Count > 0)
        {
            types |= JsonTypes.Number;
            scalars.Add(Formula.Of(new NumberAtom(Next(), () => pool.Alt([.. numbers.Select(n => Compare(n, 2))]))));
        }

        return Formula.Or([Formula.And([OfTypes(types), .. scalars]), .. structures]);
    }

    /// <summary>Exactly this object or array.</summary>
    private Formula Structure(SchemaNode value, int depth)
    {
        if (depth > 64)
        {
            throw GrammarErrors.Limit("The value is nested more than 64 deep", value.Pointer);
        }

        if (value.Element.ValueKind == JsonValueKind.Array)
        {
            var items = new ItemsAtom(Next()) { Others = compiler.Nothing };
            foreach (var item in value.Items())
            {
                items.Prefix.Add(compiler.GoalOf(Values([item], depth)));
            }

            return Formula.And(OfTypes(JsonTypes.Array), Formula.Of(items), AtLeast(items.Prefix.Count, ofObject: false));
        }

        var properties = new PropertiesAtom(Next()) { Others = compiler.Nothing };
        List<Formula> parts = [OfTypes(JsonTypes.Object), Formula.Of(properties)];
        foreach (var (name, member) in value.Members())
        {
            properties.Names[name] = compiler.GoalOf(Values([member], depth));
            parts.Add(Formula.Of(Key(name)));
        }

        return Formula.And(parts.ToArray());
    }

    private void AddNumbers(SchemaNode node, List<Formula> parts)
    {
        var (min, max) = (node.Number("minimum"), node.Number("maximum"));
        // In draft 4 these two are switches.
        var (minOut, maxOut) = (Switch(node, "exclusiveMinimum"), Switch(node, "exclusiveMaximum"));
        Bound(parts, min, minOut == true ? 4 : 6);
        Bound(parts, max, maxOut == true ? 1 : 3);
        Bound(parts, minOut is null ? node.Number("exclusiveMinimum") : null, 4);
        Bound(parts, maxOut is null ? node.Number("exclusiveMaximum") : null, 1);
        if (node.Number("multipleOf") is { } unit)
        {
            if (unit.Negative || unit.IsZero)
            {
                throw GrammarErrors.Invalid("multipleOf is greater than zero", node.Pointer + "/multipleOf");
            }

            var digits = (unit.Whole + unit.Fraction).TrimStart('0');
            if (digits.Length > 36 || unit.Fraction.Length > 36)
            {
                throw GrammarErrors.Limit("multipleOf has more than 36 digits", node.Pointer + "/multipleOf");
            }

            var leaf = new MultipleLeaf(UInt128.Parse(digits, CultureInfo.InvariantCulture), unit.Fraction.Length, 0, -1);
            parts.Add(Formula.Of(new NumberAtom(Next(), () => pool.Concat(NumberSyntax.Sign(pool), pool.Leaf(leaf)))));
        }
    }

    private static bool? Switch(SchemaNode node, string name) => node.Member(name)?.Element.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null };

    private void Bound(List<Formula> parts, Decimal10? bound, int allowed)
    {
        if (bound is not null)
        {
            parts.Add(Formula.Of(new NumberAtom(Next(), () => Compare(bound, allowed))));
        }
    }

    /// <summary>Numbers that compare with a bound as allowed: 1 less, 2 equal, 4 greater.</summary>
    private int Compare(Decimal10 bound, int allowed)
    {
        var minus = pool.Byte((byte)'-');
        var size = bound with { Negative = false };
        // Of the other sign, all are less or all are greater; zero has both signs.
        int positive, negative;
        if (bound.IsZero)
        {
            positive = pool.Leaf(new CompareLeaf(size, allowed));
            negative = pool.Leaf(new CompareLeaf(size, Mirror(allowed)));
        }
        else if (bound.Negative)
        {
            positive = (allowed & 4) != 0 ? ExprPool.All : ExprPool.Empty;
            negative = pool.Leaf(new CompareLeaf(size, Mirror(allowed)));
        }
        else
        {
            positive = pool.Leaf(new CompareLeaf(size, allowed));
            negative = (allowed & 1) != 0 ? ExprPool.All : ExprPool.Empty;
        }

        return pool.Alt(pool.And(positive, pool.Not(pool.Concat(minus, ExprPool.All))), pool.Concat(minus, negative));
    }

    private static int Mirror(int allowed) => (allowed & 2) | ((allowed & 1) << 2) | ((allowed & 4) >> 2);

    private void AddStrings(SchemaNode node, List<Formula> parts)
    {
        var (min, max) = (node.Count("minLength"), node.Count("maxLength"));
        if (min > MaxMinimum)
        {
            throw GrammarErrors.Limit(FormattableString.Invariant($"minLength is {min}; at most {MaxMinimum} is supported"), node.Pointer + "/minLength");
        }

        if (min is not null || max is not null)
        {
            parts.Add(Formula.Of(new StringAtom(Next(), () => pool.Repeat(pool.AnyChar, min ?? 0, max is null or > MaxLength ? ExprPool.Infinite : max.Value))));
        }

        if (node.Text("pattern") is { } pattern)
        {
            parts.Add(Formula.Of(new StringAtom(Next(), Pattern(pattern, node.Pointer + "/pattern"))));
        }

        if (node.Text("format") is { } format && Formats.Find(format) is { } syntax)
        {
            parts.Add(Formula.Of(new StringAtom(Next(), () => RegexCompiler.Whole(pool, syntax))));
        }
    }

    /// <summary>Strings with a match of a pattern; it is parsed at once, so that errors come at once.</summary>
    private Func<int> Pattern(string pattern, string pointer)
    {
        var syntax = RegexSyntax.Parse(pattern, RegexDialect.Ecma, pointer);
        RegexCompiler.Check(syntax, pointer);
        return () => RegexCompiler.Search(pool, syntax);
    }

    private void AddObjects(SchemaNode node, List<Formula> parts, int depth)
    {
        var unevaluated = Unevaluated.Properties(compiler.Index, node);
        if (node.Has("properties") || node.Has("patternProperties") || node.Has("additionalProperties") || unevaluated is not null)
        {
            var atom = new PropertiesAtom(Next());
            if (node.Member("properties") is { } properties)
            {
                foreach (var (name, schema) in properties.Members())
                {
                    atom.Names[name] = compiler.GoalOf(schema, 0);
                }
            }

            if (node.Member("patternProperties") is { } patterns)
            {
                foreach (var (pattern, schema) in patterns.Members())
                {
                    atom.Patterns.Add((pattern, Pattern(pattern, schema.Pointer), compiler.GoalOf(schema, 0)));
                }
            }

            if (node.Member("additionalProperties") is { } others)
            {
                atom.Others = compiler.GoalOf(others, 0);
            }
            else if (unevaluated is not null)
            {
                // What schemas beside it look at is not left over.
                foreach (var name in unevaluated.Names)
                {
                    atom.Names.TryAdd(name, compiler.Anything);
                }

                foreach (var pattern in unevaluated.Patterns)
                {
                    atom.Patterns.Add((pattern, Pattern(pattern, unevaluated.Schema.Pointer), compiler.Anything));
                }

                atom.Others = compiler.GoalOf(unevaluated.Schema, 0);
            }

            parts.Add(Formula.Of(atom));
        }

        AddRequired(node.Member("required"), parts, null);
        foreach (var name in (ReadOnlySpan<string>)["dependentRequired", "dependencies"])
        {
            if (node.Member(name) is { } dependencies)
            {
                foreach (var (key, list) in dependencies.Members())
                {
                    if (list.Element.ValueKind == JsonValueKind.String)
                    {
                        parts.Add(Formula.Or(Formula.Not(Formula.Of(Key(key))), Formula.Of(Key(list.StringValue()))));
                    }
                    else if (list.Element.ValueKind == JsonValueKind.Array)
                    {
                        AddRequired(list, parts, key);
                    }
                }
            }
        }

        if (node.Member("propertyNames") is { } names && Draft >= 6)
        {
            parts.Add(Formula.Of(new KeyNamesAtom(Next(), compiler.GoalOf(names, depth))));
        }

        AddCounts(node, "minProperties", "maxProperties", ofObject: true, parts);
    }

    private void AddRequired(SchemaNode? list, List<Formula> parts, string? when)
    {
        if (list is null)
        {
            return;
        }

        if (list.Element.ValueKind != JsonValueKind.Array)
        {
            throw GrammarErrors.Invalid("required is an array of strings", list.Pointer);
        }

        foreach (var item in list.Items())
        {
            if (item.Element.ValueKind != JsonValueKind.String)
            {
                throw GrammarErrors.Invalid("The name of a key is a string", item.Pointer);
            }

            var must = Formula.Of(Key(item.StringValue()));
            parts.Add(when is null ? must : Formula.Or(Formula.Not(Formula.Of(Key(when))), must));
        }
    }

    private void AddArrays(SchemaNode node, List<Formula> parts, int depth)
    {
        var items = node.Member("items");
        var isList = items?.Element.ValueKind == JsonValueKind.Array;
        var prefix = isList ? items : node.Member("prefixItems");
        var others = isList ? node.Member("additionalItems") : items;
        if (prefix is not null || others is not null || node.Has("unevaluatedItems"))
        {
            var atom = new ItemsAtom(Next());
            foreach (var item in prefix?.Items() ?? [])
            {
                atom.Prefix.Add(compiler.GoalOf(item, 0));
            }

            others ??= Unevaluated.Items(compiler.Index, node);
            atom.Others = others is null ? null : compiler.GoalOf(others, 0);
            parts.Add(Formula.Of(atom));
        }

        if (node.Member("contains") is { } contains && Draft >= 6)
        {
            var min = Draft >= 2019 ? node.Count("minContains") ?? 1 : 1;
            var max = Draft >= 2019 ? node.Count("maxContains") ?? int.MaxValue : int.MaxValue;
            if (Math.Max(min, max == int.MaxValue ? 0 : max) > 60_000)
            {
                throw GrammarErrors.Limit("minContains and maxContains may be 60,000 at most", node.Pointer);
            }

            parts.Add(Formula.Of(new ContainsAtom(Next(), compiler.GoalOf(contains, 0), min, max)));
        }

        AddCounts(node, "minItems", "maxItems", ofObject: false, parts);
        switch (node.Member("uniqueItems")?.Element.ValueKind)
        {
            case null or JsonValueKind.False:
                break;
            case JsonValueKind.True:
                parts.Add(Formula.Of(new UniqueAtom(Next())));
                break;
            default:
                throw GrammarErrors.Invalid("uniqueItems is true or false", node.Pointer + "/uniqueItems");
        }
    }

    private void AddCounts(SchemaNode node, string min, string max, bool ofObject, List<Formula> parts)
    {
        if (node.Count(min) is > 0 and var least)
        {
            if (least > MaxMinimum)
            {
                throw GrammarErrors.Limit(FormattableString.Invariant($"{min} is {least}; at most {MaxMinimum} is supported"), node.Pointer + "/" + min);
            }

            parts.Add(AtLeast(least, ofObject));
        }

        if (node.Count(max) is < MaxLength and var most)
        {
            parts.Add(Formula.Of(new CountAtom(Next(), ofObject, isMax: true, most)));
        }
    }

    private Formula AtLeast(int count, bool ofObject) => count == 0 ? Formula.True : Formula.Of(new CountAtom(Next(), ofObject, isMax: false, count));

    private int Next() => Count++;
}
