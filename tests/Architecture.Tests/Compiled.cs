namespace KvPrefetch.Tests.Architecture;

/// <summary>The assemblies under test, as the build put them beside the tests.</summary>
internal static class Compiled
{
    public static readonly CompiledAssembly Engine = new(Beside("KvPrefetch.Engine.dll"));
    public static readonly CompiledAssembly Provider = new(Beside("KvPrefetch.AI.dll"), Engine);

    /// <summary>This test assembly, for its planted violations.</summary>
    public static readonly CompiledAssembly Self = new(Beside("Architecture.Tests.dll"));

    private static string Beside(string file) => Path.Combine(AppContext.BaseDirectory, file);
}
