using System.Buffers;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>A list of modules as quantisation configs write it: names, and regular expressions where a name has their signs or begins with <c>re:</c>. For one thread.</summary>
internal sealed class ModulePatterns
{
    private const int MaxExpressions = 1_000;
    private const int MaxExpressionLength = 1_000;
    private const string Marker = "re:";

    /// <summary>For one name, and for all: patterns that people write take microseconds, also on a machine that is busy with other things. What takes longer is refused.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2), PatienceForAll = TimeSpan.FromSeconds(6);

    /// <summary>What makes an entry a regular expression. A dot does not: every name has some.</summary>
    private static readonly SearchValues<char> Signs = SearchValues.Create("*+?[](){}|^$\\");

    private readonly ConfigSection? _section;
    private readonly string _field;
    private readonly bool _all;
    private readonly bool _exact;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<Regex> _expressions = [];
    private TimeSpan _spent;

    private ModulePatterns(ConfigSection? section, string field, bool all, bool exact) => (_section, _field, _all, _exact) = (section, field, all, exact);

    /// <summary>Every module.</summary>
    public static ModulePatterns All { get; } = new(null, "", all: true, exact: false);

    /// <param name="section">Holds the list.</param>
    /// <param name="field">Its name; an absent list has no modules.</param>
    /// <param name="exact">A name means that module alone, and an expression the beginning of names (compressed-tensors); otherwise both mean whole parts of a name,
    /// at its beginning, within it or at its end, and what lies below (transformers).</param>
    /// <param name="everything">An entry that means every module, such as the class <c>Linear</c>.</param>
    public static ModulePatterns Read(ConfigSection section, string field, bool exact, string? everything = null)
    {
        var entries = section.FindStringArray(field) ?? [];
        var patterns = new ModulePatterns(section, field, entries.Contains(everything, StringComparer.Ordinal), exact);
        foreach (var entry in entries)
        {
            var marked = entry.StartsWith(Marker, StringComparison.Ordinal);
            if (!marked && (exact || !entry.AsSpan().ContainsAny(Signs)))
            {
                patterns._names.Add(entry);
            }
            else
            {
                patterns._expressions.Add(patterns.Expression(marked ? entry[Marker.Length..] : entry));
            }
        }

        return patterns._expressions.Count <= MaxExpressions ? patterns : throw section.Invalid(field, $"may hold at most {MaxExpressions} regular expressions");
    }

    public bool Contains(string module) => _all || Names(module) || _expressions.Exists(e => Matches(e, module));

    private bool Names(string module)
    {
        if (_exact || _names.Count == 0)
        {
            return _names.Contains(module);
        }

        // Every run of whole parts of the name.
        var names = _names.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var start = 0; start <= module.Length; start = EndOfPart(module, start) + 1)
        {
            for (var end = EndOfPart(module, start); end <= module.Length; end = EndOfPart(module, end + 1))
            {
                if (names.Contains(module.AsSpan(start, end - start)))
                {
                    return true;
                }

                if (end == module.Length)
                {
                    break;
                }
            }
        }

        return false;
    }

    private static int EndOfPart(string module, int start) => module.IndexOf('.', start) is var dot and >= 0 ? dot : module.Length;

    private bool Matches(Regex expression, string module)
    {
        var start = Stopwatch.GetTimestamp();
        bool matches;
        try
        {
            matches = expression.IsMatch(module);
        }
        catch (RegexMatchTimeoutException)
        {
            throw TooSlow(expression);
        }

        _spent += Stopwatch.GetElapsedTime(start);
        return _spent <= PatienceForAll ? matches : throw TooSlow(expression);
    }

    private UnsupportedModelException TooSlow(Regex expression) => _section!.Unsupported(_field, Excerpt.Of(expression.ToString()), "regular expressions that are quick to match");

    private Regex Expression(string pattern)
    {
        if (pattern.Length > MaxExpressionLength)
        {
            throw _section!.Unsupported(_field, Excerpt.Of(pattern), $"regular expressions of at most {MaxExpressionLength} characters");
        }

        var anchored = _exact ? $"^(?:{pattern})" : $@"(?:^|\.)(?:{pattern})(?:$|\.)";
        const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
        try
        {
            try
            {
                return new Regex(anchored, Options | RegexOptions.NonBacktracking, Patience);
            }
            catch (NotSupportedException)
            {
                // Looking ahead needs the other engine, which the patience above holds in check.
                return new Regex(anchored, Options, Patience);
            }
        }
        catch (ArgumentException)
        {
            throw _section!.Unsupported(_field, Excerpt.Of(pattern), "names of modules and regular expressions");
        }
    }
}
