namespace KvPrefetch.Engine.Checkpoints;

/// <summary>All tensors of a model folder, by name, mapped and not read. Immutable; safe for concurrent use until disposed.</summary>
internal sealed class Checkpoint : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Extension = ".safetensors";
    private static readonly string[] PickleExtensions = [".bin", ".pt", ".pth", ".ckpt", ".pkl"];

    private readonly SafetensorsFile[] _files;
    private readonly Dictionary<string, (int File, int Entry)> _tensors;

    private Checkpoint(SafetensorsFile[] files, Dictionary<string, (int File, int Entry)> tensors)
    {
        (_files, _tensors) = (files, tensors);
        foreach (var file in files)
        {
            foreach (ref readonly var entry in file.Entries)
            {
                TotalBytes = checked(TotalBytes + entry.ByteLength);
            }
        }
    }

    /// <summary>Names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Bytes of all tensors.</summary>
    public long TotalBytes { get; }

    /// <summary>Names of the files.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(f => f.FileName)];

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
        if (_tensors.TryGetValue(name, out var place))
        {
            tensor = _files[place.File].View(place.Entry);
            return true;
        }

        tensor = default;
        return false;
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    /// <summary>File that holds the tensor.</summary>
    public string FileOf(string name) => _files[_tensors[name].File].FileName;

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

            var checkpoint = new Checkpoint([.. files], Join(files));
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

    private static Dictionary<string, (int File, int Entry)> Join(List<SafetensorsFile> files)
    {
        var count = 0;
        files.ForEach(f => count = checked(count + f.Entries.Length));
        var tensors = new Dictionary<string, (int File, int Entry)>(count, StringComparer.Ordinal);
        for (var f = 0; f < files.Count; f++)
        {
            var entries = files[f].Entries;
            for (var e = 0; e < entries.Length; e++)
            {
                if (!tensors.TryAdd(entries[e].Name, (f, e)))
                {
                    var other = files[tensors[entries[e].Name].File].FileName;
                    throw new ModelFormatException("DuplicateTensor", $"The tensor {Excerpt.Of(entries[e].Name)} is in {other} and in {files[f].FileName}.", files[f].FileName, entries[e].Name);
                }
            }
        }

        return tensors;
    }

    /// <summary>Index and files must agree on every tensor that the index names. What only the files hold is kept (a family that does not know it will say so) and logged.</summary>
    private void Compare(ShardIndex index, Action<string>? log)
    {
        List<string> lacking = [.. index.Files.Where(p => !_tensors.TryGetValue(p.Key, out var place) || !string.Equals(_files[place.File].FileName, p.Value, StringComparison.Ordinal)).Select(p => p.Key)];
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
