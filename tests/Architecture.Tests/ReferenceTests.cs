using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace KvPrefetch.Tests.Architecture;

/// <summary>What the shipped projects lean on: nothing comes in by accident.</summary>
public partial class ReferenceTests
{
    private static readonly string[] EngineMayUse = ["Iced", "System.Numerics.Tensors"];

    private static readonly string[] ProviderMayUse =
    [
        "Microsoft.Extensions.AI.Abstractions",
        "Microsoft.Extensions.Configuration",
        "Microsoft.Extensions.Configuration.Abstractions",
        "Microsoft.Extensions.Configuration.Binder",
        "Microsoft.Extensions.DependencyInjection.Abstractions",
        "Microsoft.Extensions.Diagnostics.HealthChecks.Abstractions",
        "Microsoft.Extensions.Diagnostics.HealthChecks",
        "Microsoft.Extensions.Hosting.Abstractions",
        "Microsoft.Extensions.Logging.Abstractions",
        "Microsoft.Extensions.Options",
        "Microsoft.Extensions.Options.ConfigurationExtensions",
        "Microsoft.Extensions.Options.DataAnnotations",
        "Microsoft.Extensions.Primitives",
    ];

    /// <summary>Put in by the build for everyone, used only by the compiler.</summary>
    private static readonly string[] BuildTools = ["Meziantou.Analyzer", "Roslynator.Analyzers", "Microsoft.NET.ILLink.Tasks"];

    [Fact]
    public void The_engine_refers_to_nothing_beyond_dotnet_but_what_is_allowed() => AssertAllowed(Compiled.Engine, EngineMayUse);

    [Fact]
    public void The_provider_refers_to_the_engine_and_extension_abstractions_only() => AssertAllowed(Compiled.Provider, [.. ProviderMayUse, Rooms.Engine]);

    [Theory]
    [InlineData("src/Engine/KvPrefetch.Engine.csproj")]
    [InlineData("src/Provider/KvPrefetch.AI.csproj")]
    [InlineData("src/TinyChat/KvPrefetch.AI.TinyChat.csproj")]
    public void A_shipped_project_asks_for_no_package_that_is_not_allowed(string project)
    {
        var allowed = project.Contains("Engine", StringComparison.Ordinal) ? EngineMayUse : ProviderMayUse;
        var extra = XDocument.Load(Path.Combine(Repository(), project)).Descendants("PackageReference")
            .Select(reference => reference.Attribute("Include")!.Value)
            .Except(allowed, StringComparer.Ordinal).Except(BuildTools, StringComparer.Ordinal)
            .Select(package => $"{project} asks for {package}; it may ask for: {string.Join(", ", allowed)}.");
        RoomOrderTests.AssertNone(extra);
    }

    [Fact]
    public void Unsafe_code_lives_in_the_engine_alone()
    {
        Assert.False(Compiled.Provider.WasCompiledUnsafe(), "KvPrefetch.AI.dll was compiled with AllowUnsafeBlocks; only KvPrefetch.Engine may be.");
        Assert.True(Compiled.Engine.WasCompiledUnsafe(), "the check itself is blind: KvPrefetch.Engine.dll is compiled with AllowUnsafeBlocks");
        var allowing = Directory.EnumerateFiles(Path.Combine(Repository(), "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(file => XDocument.Load(file).Descendants("AllowUnsafeBlocks").Any(element => bool.Parse(element.Value)))
            .Select(file => Path.GetFileName(file));
        Assert.Equal(["KvPrefetch.Engine.csproj"], allowing);
    }

    [Fact]
    public void Namespaces_follow_the_folders_of_rooms()
    {
        var wrong = new List<string>();
        foreach (var (folder, root) in new[] { ("src/Engine", Rooms.Engine), ("src/Provider", Rooms.Provider) })
        {
            var top = Path.Combine(Repository(), folder);
            foreach (var file in Directory.EnumerateFiles(top, "*.cs", SearchOption.AllDirectories))
            {
                var place = Path.GetRelativePath(top, Path.GetDirectoryName(file)!).Replace('\\', '/');
                if (place.Split('/')[0] is "bin" or "obj")
                {
                    continue;
                }

                // Folders inside a room are shelves: they may have a namespace of their own or share the room's. Typed errors share the root's, and
                // registration extensions live where every .NET developer finds them without a using.
                var own = place is "." or "Errors" ? root : root + "." + place.Replace('/', '.');
                var room = Rooms.Of(own, own + ".Type", isException: false);
                var shared = root == Rooms.Engine && room is not (Rooms.Top or Rooms.Errors) ? root + "." + room : root;
                wrong.AddRange(Namespace().Matches(File.ReadAllText(file)).Select(match => match.Groups["name"].Value)
                    .Where(space => space != own && space != shared && space != "Microsoft.Extensions.DependencyInjection")
                    .Select(space => $"{folder}/{Path.GetRelativePath(top, file)} declares {space}; its folder says {own}."));
            }
        }

        RoomOrderTests.AssertNone(wrong);
    }

    private static string Repository()
    {
        if (TestAssets.Repository is null)
        {
            Assert.Skip("not found: the repository (published tests)");
        }

        return TestAssets.Repository;
    }

    /// <summary>What lies in the runtime's own folder is .NET; everything else must be allowed by name.</summary>
    private static void AssertAllowed(CompiledAssembly assembly, string[] allowed)
    {
        var extra = assembly.ReferencedAssemblies()
            .Where(name => !File.Exists(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), name + ".dll")))
            .Except(allowed, StringComparer.Ordinal)
            .Select(name => $"{assembly.Name} refers to {name}; beyond .NET it may refer to: {string.Join(", ", allowed)}.");
        RoomOrderTests.AssertNone(extra);
    }

    [GeneratedRegex(@"^namespace\s+(?<name>[\w.]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Namespace();
}
