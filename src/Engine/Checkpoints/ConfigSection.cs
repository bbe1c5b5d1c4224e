using System.Globalization;
using System.Text.Json;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>One object of a configuration file with checked access. JSON null counts as absent. Every error names the file, the full path of the field, what is allowed and what stands there.
/// Which fields were read is remembered (<see cref="Unread"/>), so reading is for one thread.</summary>
internal class ConfigSection
{
    private const int MaxArrayLength = 65_536;

    private readonly JsonElement _object;
    private readonly string _path;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ConfigSection> _sections = new(StringComparer.Ordinal);

    protected ConfigSection(JsonElement element, string file, string path) => (_object, File, _path) = (element, file, path);

    /// <summary>Fields that count where the file does not mention them; null: none.</summary>
    protected JsonElement? Absent { get; init; }

    /// <summary>The object itself.</summary>
    internal JsonElement Element => _object;

    /// <summary>Name of the file, for messages.</summary>
    public string File { get; }

    /// <summary>Fields with a value, in the order of the file.</summary>
    public IEnumerable<string> Fields => _object.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name);

    /// <summary>Fields with a value that nobody has asked for, sections of their own included.</summary>
    public IReadOnlyList<string> Unread => [.. Fields.Where(f => !_read.Contains(f)).Select(FullName), .. _sections.Values.SelectMany(s => s.Unread)];

    /// <summary>True when the field has a value.</summary>
    public bool Has(string field) => Find(field) is not null;

    /// <summary>True when the field is there, be it with null: for fields whose absence means a default and null none.</summary>
    public bool Mentions(string field)
    {
        _read.Add(field);
        return _object.TryGetProperty(field, out _);
    }

    public int GetInt32(string field, int min, int max) => FindInt32(field, min, max) ?? throw Missing(field);
    public int GetInt32(string field, int min, int max, int defaultValue) => FindInt32(field, min, max) ?? defaultValue;

    /// <summary>The integer, or null when absent. Written as an integer: 32.0 and 1e3 are refused.</summary>
    public int? FindInt32(string field, int min, int max)
    {
        if (Find(field) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
            ? number >= min && number <= max ? (int)number : throw OutOfRange(field, value, min, max)
            : throw WrongKind(field, value, string.Create(CultureInfo.InvariantCulture, $"an integer from {min} to {max}"));
    }

    /// <summary>The integer, or <paramref name="max"/> with a line in the log where it is larger: for lengths that only bound what may be used.</summary>
    public int GetInt32Clamped(string field, int min, int max, Action<string>? log)
    {
        if (Find(field) is { ValueKind: JsonValueKind.Number } value && value.TryGetUInt64(out var number) && number > (ulong)max)
        {
            log?.Invoke(string.Create(CultureInfo.InvariantCulture, $"{File}: {FullName(field)} is {number}; {max} is used."));
            return max;
        }

        return GetInt32(field, min, max);
    }

    public double GetDouble(string field, double min, double max) => FindDouble(field, min, max) ?? throw Missing(field);
    public double GetDouble(string field, double min, double max, double defaultValue) => FindDouble(field, min, max) ?? defaultValue;

    /// <summary>The number, or null when absent. Never NaN; infinite only where the range is.</summary>
    public double? FindDouble(string field, double min, double max)
    {
        if (Find(field) is not { } value)
        {
            return null;
        }

        var number = Number(value) ?? throw WrongKind(field, value, string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"));
        return number >= min && number <= max ? number : throw OutOfRange(field, value, min, max);
    }

    public bool GetBoolean(string field) => FindBoolean(field) ?? throw Missing(field);
    public bool GetBoolean(string field, bool defaultValue) => FindBoolean(field) ?? defaultValue;

    public bool? FindBoolean(string field) => Find(field) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw WrongKind(field, value, "true or false"),
    };

    public string GetString(string field) => FindString(field) ?? throw Missing(field);
    public string GetString(string field, string defaultValue) => FindString(field) ?? defaultValue;

    public string? FindString(string field) => Find(field) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw WrongKind(field, value, "a string"),
    };

    /// <summary>One of the supported strings, else an <see cref="UnsupportedModelException"/> that lists them.</summary>
    public string GetChoice(string field, IReadOnlyList<string> supported, string? defaultValue = null)
    {
        var value = FindString(field) ?? defaultValue ?? throw Missing(field);
        return supported.Contains(value, StringComparer.Ordinal) ? value : throw Unsupported(field, Excerpt.Of(value), string.Join(", ", supported));
    }

    /// <summary>The integers, or null when absent.</summary>
    public int[]? FindInt32Array(string field, int min, int max, int maxLength = MaxArrayLength) => FindArray(field, maxLength, (element, index) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out var number)
            ? number >= min && number <= max ? (int)number : throw OutOfRange(Item(field, index), element, min, max)
            : throw WrongKind(Item(field, index), element, string.Create(CultureInfo.InvariantCulture, $"an integer from {min} to {max}")));

    /// <summary>The numbers, or null when absent.</summary>
    public double[]? FindDoubleArray(string field, double min, double max, int maxLength = MaxArrayLength) => FindArray(field, maxLength, (element, index) =>
    {
        var number = Number(element) ?? throw WrongKind(Item(field, index), element, string.Create(CultureInfo.InvariantCulture, $"a number from {min} to {max}"));
        return number >= min && number <= max ? number : throw OutOfRange(Item(field, index), element, min, max);
    });

    /// <summary>The strings, or null when absent.</summary>
    public string[]? FindStringArray(string field, int maxLength = MaxArrayLength) => FindArray(field, maxLength, (element, index) =>
        element.ValueKind == JsonValueKind.String ? element.GetString()! : throw WrongKind(Item(field, index), element, "a string"));

    /// <summary>An integer or an array of integers; null when absent.</summary>
    public int[]? FindInt32OrArray(string field, int min, int max, int maxLength) =>
        Find(field) is { ValueKind: not JsonValueKind.Array } ? [GetInt32(field, min, max)] : FindInt32Array(field, min, max, maxLength);

    /// <summary>A nested object, or null when absent.</summary>
    public ConfigSection? Section(string field)
    {
        if (Find(field) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw WrongKind(field, value, "an object");
        }

        if (!_sections.TryGetValue(field, out var section))
        {
            _sections.Add(field, section = new ConfigSection(value, File, FullName(field) + "."));
        }

        return section;
    }

    public ConfigSection GetSection(string field) => Section(field) ?? throw Missing(field);

    /// <summary>True when the field holds an object.</summary>
    public bool IsSection(string field) => Find(field) is { ValueKind: JsonValueKind.Object };

    /// <summary>True when the field is there and holds null, which some formats tell from its absence.</summary>
    public bool IsNull(string field) => _object.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>True when the field holds an array.</summary>
    public bool IsArray(string field) => Find(field) is { ValueKind: JsonValueKind.Array };

    /// <summary>True when the field is absent or holds false, an empty array or an empty object.</summary>
    public bool IsEmpty(string field) => Find(field) is not { } value || value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => value.GetPropertyCount() == 0,
        JsonValueKind.False => true,
        _ => false,
    };

    /// <summary>True when the field holds exactly this number.</summary>
    public bool IsNumber(string field, double number) => Find(field) is { } value && Number(value) is { } actual && actual.Equals(number);

    /// <summary>True when both hold the same fields and values.</summary>
    public bool SameAs(ConfigSection other) => JsonElement.DeepEquals(_object, other._object);

    /// <summary>The field with all sections above it, such as <c>text_config.hidden_size</c>.</summary>
    public string FullName(string field) => _path + field;

    /// <summary>Error for a rule that ties fields together; <paramref name="rule"/> is a sentence without its subject, such as <c>must be divisible by ...</c>.</summary>
    public ModelFormatException Invalid(string field, string rule) =>
        new("InvalidField", $"{File}: {Name(field)} {(Find(field) is { } value ? "is " + Shown(value) : "is absent")}; it {rule}.", File, FullName(field));

    /// <summary>Error for a value that is valid and not supported.</summary>
    public UnsupportedModelException Unsupported(string field, string actual, string supported) =>
        new($"{File}: {Name(field)} is {actual}, which is not supported; supported: {supported}.", FullName(field));

    private ModelFormatException Missing(string field) => new("MissingField", $"{File}: the field {Name(field)} is missing.", File, FullName(field));

    private ModelFormatException WrongKind(string field, JsonElement actual, string allowed) =>
        new("InvalidField", $"{File}: {Name(field)} is {Shown(actual)}; allowed: {allowed}.", File, FullName(field));

    private ModelFormatException OutOfRange<T>(string field, JsonElement actual, T min, T max) where T : IFormattable =>
        new("OutOfRange", string.Create(CultureInfo.InvariantCulture, $"{File}: {Name(field)} is {Shown(actual)}; allowed: {min} to {max}."), File, FullName(field));

    private static string Item(string field, int index) => string.Create(CultureInfo.InvariantCulture, $"{field}[{index}]");

    private static string Shown(JsonElement value) => Excerpt.Of(value.GetRawText());

    /// <summary>Paths are made of the file's own keys too.</summary>
    private string Name(string field) => Excerpt.Of(FullName(field)).Trim('\'');

    private static double? Number(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Number)
        {
            return value.TryGetDouble(out var number) ? number : null;
        }

        return value.ValueKind == JsonValueKind.Object && value.TryGetProperty("__float__", out var word) && word.ValueKind == JsonValueKind.String
            ? word.GetString() switch { "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, "NaN" => double.NaN, _ => null }
            : null;
    }

    private T[]? FindArray<T>(string field, int maxLength, Func<JsonElement, int, T> read)
    {
        if (Find(field) is not { } value)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw WrongKind(field, value, "an array");
        }

        var length = value.GetArrayLength();
        if (length > maxLength)
        {
            throw new ModelFormatException("OutOfRange", $"{File}: {Name(field)} has {length} items; at most {maxLength} are allowed.", File, FullName(field));
        }

        return [.. value.EnumerateArray().Select(read)];
    }

    private JsonElement? Find(string field)
    {
        _read.Add(field);
        return (_object.TryGetProperty(field, out var value) || Absent?.TryGetProperty(field, out value) == true) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
