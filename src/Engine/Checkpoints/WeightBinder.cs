using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Hands the tensors of a checkpoint to a model, each exactly once. What is missing is collected and reported by <see cref="Complete"/>, so a model asks for everything first
/// and touches nothing before that. For one thread.</summary>
internal sealed class WeightBinder
{
    private readonly Ledger _ledger;
    private readonly string _prefix;
    private readonly (string From, string To)[] _renamed;

    /// <param name="checkpoint">Where tensors come from; must outlive the views.</param>
    /// <param name="prefix">Put before every name that is asked for: the language model inside a multimodal checkpoint has one.</param>
    /// <param name="log">Receives one line about tensors that were left alone on purpose.</param>
    /// <param name="checksOnly">Names and shapes are checked, but every view is <c>default</c>: nothing of the weights is read.</param>
    public WeightBinder(Checkpoint checkpoint, string prefix = "", Action<string>? log = null, bool checksOnly = false) : this(new Ledger(checkpoint, log, checksOnly), prefix, [])
    {
    }

    private WeightBinder(Ledger ledger, string prefix, (string From, string To)[] renamed) => (_ledger, _prefix, _renamed) = (ledger, prefix, renamed);

    /// <summary>The same binder with a longer prefix, such as <c>model.layers.3.</c>; both share one account.</summary>
    public WeightBinder Scope(string prefix) => new(_ledger, _prefix + prefix, _renamed);

    /// <summary>The same binder for a model whose names stand elsewhere in this checkpoint: a name that begins with From is looked up with To in its place.</summary>
    public WeightBinder Renamed(params (string From, string To)[] renamed) => new(_ledger, _prefix, renamed);

    /// <summary>The tensor; <c>default</c> (see <see cref="TensorView.Exists"/>) when it is missing, which <see cref="Complete"/> will report.
    /// Throws <see cref="ModelFormatException"/> with code <c>ShapeMismatch</c>.</summary>
    public TensorView Bind(string name, params ReadOnlySpan<long> shape)
    {
        if (!TryBind(name, out var tensor, shape))
        {
            _ledger.Missing.Add(Stored(name));
        }

        return tensor;
    }

    /// <summary>The tensor, or false when the checkpoint does not have it and the model can do without. Where only names and shapes are checked, true and <c>default</c>.</summary>
    public bool TryBind(string name, out TensorView tensor, params ReadOnlySpan<long> shape)
    {
        var full = Stored(name);
        if (!_ledger.Checkpoint.TryGet(full, out tensor))
        {
            return false;
        }

        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new ModelFormatException("ShapeMismatch",
                $"{_ledger.Checkpoint.FileOf(full)}: the tensor {Excerpt.Of(full)} has the shape [{string.Join(", ", tensor.Shape.ToArray())}]; config.json makes it [{string.Join(", ", shape.ToArray())}].",
                _ledger.Checkpoint.FileOf(full), full);
        }

        if (!_ledger.Bound.Add(full))
        {
            _ledger.Twice.Add(full);
        }

        tensor = _ledger.ChecksOnly ? default : tensor;
        return true;
    }

    /// <summary>True when the checkpoint has a tensor of this name.</summary>
    public bool Contains(string name) => _ledger.Checkpoint.Contains(Stored(name));

    /// <summary>Element type of a tensor; null where the checkpoint does not have it.</summary>
    public DType? TypeOf(string name) => _ledger.Checkpoint.TryGet(Stored(name), out var tensor) ? tensor.Type : null;

    /// <summary>First dimension of a tensor; 0 where the checkpoint does not have it or it has no dimension.</summary>
    public long FirstDimension(string name) => _ledger.Checkpoint.TryGet(Stored(name), out var tensor) && tensor.Shape.Length > 0 ? tensor.Shape[0] : 0;

    /// <summary>Leaves alone the tensors for which <paramref name="predicate"/> says yes; it sees full names, of tensors that were not bound.</summary>
    public void Ignore(Func<string, bool> predicate) => _ledger.Ignored.Add(predicate);

    /// <summary>Leaves alone the tensors whose full name begins so.</summary>
    public void IgnorePrefix(string prefix)
    {
        var stored = StoredFull(prefix);
        Ignore(n => n.StartsWith(stored, StringComparison.Ordinal));
    }

    /// <summary>Leaves alone the tensors whose full name ends so, such as <c>.rotary_emb.inv_freq</c>.</summary>
    public void IgnoreSuffix(string suffix) => Ignore(n => n.EndsWith(suffix, StringComparison.Ordinal));

    /// <summary>One line for whoever opened the checkpoint.</summary>
    public void Log(string line) => _ledger.Log?.Invoke(line);

    /// <summary>Closes the account: throws <see cref="ModelIncompleteException"/> with all names that are missing or left over,
    /// <see cref="ModelFormatException"/> with code <c>BoundTwice</c> when the model asked for a tensor twice, <c>FileChanged</c> when a file was changed meanwhile.</summary>
    public void Complete() => _ledger.Close();

    /// <summary>See <see cref="Checkpoint.RequireUnchanged"/>.</summary>
    public void RequireUnchanged() => _ledger.Checkpoint.RequireUnchanged();

    /// <summary>The full name as the checkpoint has it.</summary>
    public string Stored(string name) => StoredFull(_prefix + name);

    private string StoredFull(string full)
    {
        var (from, to) = Array.Find(_renamed, r => full.StartsWith(r.From, StringComparison.Ordinal));
        return from is null ? full : to + full[from.Length..];
    }

    private sealed class Ledger(Checkpoint checkpoint, Action<string>? log, bool checksOnly)
    {
        public bool ChecksOnly => checksOnly;
        public Checkpoint Checkpoint { get; } = checkpoint;
        public Action<string>? Log { get; } = log;
        public HashSet<string> Bound { get; } = new(StringComparer.Ordinal);
        public List<string> Missing { get; } = [];
        public List<string> Twice { get; } = [];
        public List<Func<string, bool>> Ignored { get; } = [];

        public void Close()
        {
            List<string> rest = [.. Checkpoint.Names.Where(n => !Bound.Contains(n))];
            List<string> left = [.. rest.Where(n => !Ignored.Exists(i => i(n)))];
            left.Sort(StringComparer.Ordinal);
            if (Missing.Count > 0 || left.Count > 0)
            {
                throw new ModelIncompleteException(
                    string.Join(' ', Sentence("missing", Missing), Sentence("left over", left)).Trim() + " (of " + Checkpoint.Names.Count + " tensors in the checkpoint)", Missing, left);
            }

            if (Twice.Count > 0)
            {
                throw new ModelFormatException("BoundTwice", $"{Twice.Count} tensors were asked for twice: {Excerpt.List(Twice)}.", Checkpoint.FileOf(Twice[0]), Twice[0]);
            }

            if (rest.Count > 0)
            {
                Log?.Invoke($"{rest.Count} tensors of the checkpoint are not used: {Summary(rest)}.");
            }

            Checkpoint.RequireUnchanged();
        }

        /// <summary>Few by name; many by the module they belong to, with their number.</summary>
        private static string Summary(List<string> names) => names.Count <= 10
            ? Excerpt.List(names)
            : Excerpt.List([.. names.GroupBy(Module, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Key}.* ({g.Count()})")]);

        /// <summary>The first part of a name that says something.</summary>
        private static string Module(string name)
        {
            var end = name.IndexOf('.', StringComparison.Ordinal);
            while (end >= 0 && name.AsSpan(0, end) is "model" or "language_model" or "model.language_model" or "language_model.model" && name.IndexOf('.', end + 1) is > 0 and var next)
            {
                end = next;
            }

            return end < 0 ? name : name[..end];
        }

        private static string Sentence(string what, List<string> names) => names.Count == 0 ? "" : $"{names.Count} tensors {what}: {Excerpt.List(names)}.";
    }
}
