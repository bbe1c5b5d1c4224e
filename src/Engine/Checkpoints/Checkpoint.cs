using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>All tensors of a model folder, by name, mapped and not read. Immutable; safe for concurrent use until disposed.</summary>
internal sealed class Checkpoint : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Extension = ".safetensors";
    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

    private readonly SafetensorsFile[] _files;

    /// <summary>Tensors are numbered through all files; here each file's first number.</summary>
    private readonly int[] _firsts;
    private readonly Dictionary<string, int> _tensors;

    private Checkpoint(SafetensorsFile[] files)
    {
        (_files, _firsts) = (files, new int[files.Length]);
        var count = 0;
        for (var f = 0; f < files.Length; f++)
        {
            _firsts[f] = count;
            count = checked(count + files[f].Entries.Length);
        }

        _tensors = new Dictionary<string, int>(count, StringComparer.Ordinal);
        Number();
    }

    /// <summary>Names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Bytes of all tensors.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Names of the files.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(f => f.FileName)];

    /// <summary>Paths of the files, links followed.</summary>
    public IReadOnlyList<string> Paths => [.. _files.Select(f => f.FullPath)];

    /// <summary>Tells these files from others, and from what they were or become: path, length and time of last writing of each.</summary>
    public string Identity => string.Join('\n', _files.Select(f => f.Identity));

    /// <summary>Opens <c>model.safetensors</c>, else the shards of <c>model.safetensors.index.json</c>, else the only <c>*.safetensors</c> there is.
    /// Throws <see cref="ModelFormatException"/>, <see cref="ModelIncompleteException"/>, <see cref="UnsupportedModelException"/>.</summary>
    public static Checkpoint Open(ModelFolder folder, Action<string>? log = null)
    {
        // The order is transformers': a whole file wins over shards.
        if (folder.PathOf(Single) is not null)
        {
            return Open(folder, [Single], index: null, log);
        }

        if (ShardIndex.Load(folder) is { } index)
        {
            return Open(folder, index.Shards, index, log);
        }

        List<string> lone = [.. folder.FileNames().Where(n => n.EndsWith(Extension, StringComparison.OrdinalIgnoreCase))];
        return lone.Count == 1 ? Open(folder, lone, index: null, log) : throw NoWeights(folder, lone);
    }

    /// <summary>The tensor, or false when there is none of this name. Throws <see cref="UnsupportedModelException"/> for an element type that the engine does not read.</summary>
    public bool TryGet(string name, out TensorView tensor)
    {
        if (_tensors.TryGetValue(name, out var number))
        {
            var file = FileIndex(number);
            tensor = _files[file].View(number - _firsts[file]);
            return true;
        }

        tensor = default;
        return false;
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>File that holds the tensor.</summary>
    public string FileOf(string name) => _files[FileIndex(_tensors[name])].FileName;

    /// <summary>Throws <see cref="ModelFormatException"/> with code <c>FileChanged</c> when a file was changed since it was opened. Between this check and a read of mapped bytes a file can still be cut;
    /// on Linux the process then ends with SIGBUS: do not replace the files of a loaded model in place (write beside and rename instead).</summary>
    public void RequireUnchanged()
    {
        foreach (var file in _files)
        {
            file.RequireUnchanged();
        }
    }

    /// <summary>Unmaps the files; every <see cref="TensorView"/> becomes invalid.</summary>
    public void Dispose()
    {
        foreach (var file in _files)
        {
            file.Dispose();
        }
    }

    private static Checkpoint Open(ModelFolder folder, IReadOnlyList<string> names, ShardIndex? index, Action<string>? log)
    {
        List<string?> paths = [.. names.Select(n => folder.PathOf(n, index is null ? null : ShardIndex.FileName))];
        List<string> missing = [.. names.Where((_, i) => paths[i] is null)];
        if (missing.Count > 0)
        {
            throw new ModelIncompleteException($"{missing.Count} of {names.Count} files that {ShardIndex.FileName} names are missing (incomplete download?): {Excerpt.List(missing)}.", missing, []);
        }

        var files = new List<SafetensorsFile>(names.Count);
        try
        {
            for (var i = 0; i < names.Count; i++)
            {
                files.Add(SafetensorsFile.Open(paths[i]!, names[i]));
            }

            var checkpoint = new Checkpoint([.. files]);
            if (index is not null)
            {
                checkpoint.Compare(index, log);
            }

            return checkpoint;
        }
        catch
        {
            files.ForEach(f => f.Dispose());
            throw;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Number()
    {
        for (var f = 0; f < _files.Length; f++)
        {
            var entries = _files[f].Entries;
            for (var e = 0; e < entries.Length; e++)
            {
                TotalBytes = checked(TotalBytes + entries[e].ByteLength);
                if (!_tensors.TryAdd(entries[e].Name, _firsts[f] + e))
                {
                    throw new ModelFormatException("DuplicateTensor", $"The tensor {Excerpt.Of(entries[e].Name)} is in {FileOf(entries[e].Name)} and in {_files[f].FileName}.", _files[f].FileName, entries[e].Name);
                }
            }
        }
    }

    /// <summary>The last file whose first number is not above this one (files without tensors share a number with the next).</summary>
    private int FileIndex(int number)
    {
        var index = _firsts.AsSpan().BinarySearch(number);
        index = index < 0 ? ~index - 1 : index;
        while (index + 1 < _firsts.Length && _firsts[index + 1] == number)
        {
            index++;
        }

        return index;
    }

    /// <summary>Index and files must agree on every tensor that the index names. What only the files hold is kept (a family that does not know it will say so) and logged.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compare(ShardIndex index, Action<string>? log)
    {
        List<string> lacking = [];
        foreach (var (tensor, file) in index.Files)
        {
            if (!_tensors.TryGetValue(tensor, out var number) || !string.Equals(_files[FileIndex(number)].FileName, file, StringComparison.Ordinal))
            {
                lacking.Add(tensor);
            }
        }

        if (lacking.Count > 0)
        {
            var first = lacking[0];
            throw new ModelIncompleteException($"{ShardIndex.FileName} places {Excerpt.Of(first)} in {Excerpt.Of(index.Files[first])}, which does not hold it; {lacking.Count} such tensors: {Excerpt.List(lacking)}.", lacking, []);
        }

        if (_tensors.Count > index.Files.Count)
        {
            List<string> extra = [.. _tensors.Keys.Where(n => !index.Files.ContainsKey(n))];
            log?.Invoke($"{extra.Count} tensors are in the files and not in {ShardIndex.FileName}: {Excerpt.List(extra)}.");
        }

        if (index.TotalBytes is { } total && total != TotalBytes)
        {
            log?.Invoke($"{ShardIndex.FileName}: metadata.total_size is {total}, the tensors have {TotalBytes} bytes.");
        }
    }

    private static KvPrefetchException NoWeights(ModelFolder folder, List<string> lone)
    {
        if (lone.Count > 1)
        {
            return new ModelIncompleteException($"The model folder {Excerpt.Of(folder.Name)} has {lone.Count} safetensors files and no {ShardIndex.FileName} that says which belong together (incomplete download?).", [ShardIndex.FileName], []);
        }

        var others = folder.FileNames();
        if (others.FirstOrDefault(n => PickleExtensions.Contains(Path.GetExtension(n), StringComparer.OrdinalIgnoreCase)) is { } pickle)
        {
            return new UnsupportedModelException($"The model folder {Excerpt.Of(folder.Name)} has weights as {Excerpt.Of(pickle)} only: pickle is never loaded, because it can run code. Convert them to safetensors.", pickle);
        }

        return others.FirstOrDefault(n => n.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)) is { } gguf
            ? new UnsupportedModelException($"The model folder {Excerpt.Of(folder.Name)} has weights as {Excerpt.Of(gguf)} only: GGUF is not read, only safetensors.", gguf)
            : new ModelIncompleteException($"The model folder {Excerpt.Of(folder.Name)} has neither {Single} nor {ShardIndex.FileName}.", [Single], []);
    }
}
