using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Kernels as PTX, which any driver that is new enough translates for its card: what a machine without NVRTC runs. One file beside the application, made when the package is.
/// A zip with an entry for each kernel and architecture, in it by Brotli all its variants: hash, length, text; they differ so little that together they take hardly more than one.</summary>
internal sealed class PtxArchive
{
    public const string FileName = "KvPrefetch.Engine.ptx";

    /// <summary>Architectures for which there is PTX: a card takes the last that it is not older than.</summary>
    public static readonly int[] Architectures = [80, 90];

    private const int HashLength = 64;
    private static readonly Lazy<PtxArchive?> Beside = new(() => Open(Path.Combine(AppContext.BaseDirectory, FileName)));

    private readonly string _path;

    private PtxArchive(string path) => _path = path;

    /// <summary>The archive beside the application, or null.</summary>
    public static PtxArchive? Shipped => Beside.Value;

    public static PtxArchive? Open(string path) => File.Exists(path) ? new PtxArchive(path) : null;

    /// <summary>Writes an archive.</summary>
    /// <param name="path">A file, replaced where it exists.</param>
    /// <param name="kernels">All specs with their architecture.</param>
    /// <param name="compile">Their PTX.</param>
    public static void Write(string path, IEnumerable<(KernelSpec Spec, int Architecture)> kernels, Func<KernelSpec, int, byte[]> compile)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        using var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
        foreach (var group in kernels.GroupBy(k => Entry(k.Spec, k.Architecture), StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            using var entry = new BrotliStream(zip.CreateEntry(group.Key, CompressionLevel.NoCompression).Open(), new BrotliCompressionOptions { Quality = 9 });
            foreach (var (hash, spec, architecture) in group.Select(k => (Hash: KernelCompiler.Hash(k.Spec, k.Architecture), k.Spec, k.Architecture)).DistinctBy(k => k.Hash).OrderBy(k => k.Hash, StringComparer.Ordinal))
            {
                var code = compile(spec, architecture);
                BinaryPrimitives.WriteInt32LittleEndian(length, code.Length);
                entry.Write(Encoding.ASCII.GetBytes(hash));
                entry.Write(length);
                entry.Write(code);
            }
        }
    }

    /// <summary>The kernel's PTX; null where the archive has none that was made of these sources, or is damaged.</summary>
    public byte[]? Find(KernelSpec spec, int architecture)
    {
        var target = Architectures.LastOrDefault(a => a <= architecture);
        var hash = KernelCompiler.Hash(spec, target);
        try
        {
            using var zip = ZipFile.OpenRead(_path);
            if (zip.GetEntry(Entry(spec, target)) is not { } entry)
            {
                return null;
            }

            using var text = new BrotliStream(entry.Open(), CompressionMode.Decompress);
            var head = new byte[HashLength + sizeof(int)];
            while (text.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length)
            {
                var code = new byte[Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(HashLength)), 0, 16 << 20)];
                text.ReadExactly(code);
                if (Encoding.ASCII.GetString(head, 0, HashLength) == hash)
                {
                    return code;
                }
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException)
        {
            // As good as none: the caller says what is missing.
        }

        return null;
    }

    private static string Entry(KernelSpec spec, int architecture) => FormattableString.Invariant($"{architecture}/{spec.Name}");
}
