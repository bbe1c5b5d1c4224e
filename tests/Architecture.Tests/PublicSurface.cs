using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace KvPrefetch.Tests.Architecture;

/// <summary>Prints what a caller of an assembly can see, one member a line, in an order that does not depend on the source.</summary>
internal static class PublicSurface
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
    private static readonly NullabilityInfoContext Nullability = new();

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void", [typeof(bool)] = "bool", [typeof(byte)] = "byte", [typeof(sbyte)] = "sbyte", [typeof(short)] = "short", [typeof(ushort)] = "ushort",
        [typeof(int)] = "int", [typeof(uint)] = "uint", [typeof(long)] = "long", [typeof(ulong)] = "ulong", [typeof(float)] = "float", [typeof(double)] = "double",
        [typeof(char)] = "char", [typeof(string)] = "string", [typeof(object)] = "object", [typeof(nint)] = "nint", [typeof(nuint)] = "nuint",
    };

    public static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Declaration(type)).Append('\n');
            foreach (var line in Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("  ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Declaration(Type type)
    {
        var kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : typeof(Delegate).IsAssignableFrom(type) ? "delegate" : type.IsValueType ? "struct" : "class";
        var modifiers = type.IsAbstract && type.IsSealed ? "static " : type.IsInterface || type.IsValueType ? string.Empty : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : string.Empty;
        var bases = new List<string>();
        if (type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) && parent != typeof(Enum))
        {
            bases.Add(Name(parent));
        }

        var inherited = type.BaseType?.GetInterfaces() ?? [];
        bases.AddRange(type.IsEnum ? [] : type.GetInterfaces().Except(inherited).Select(Name).Where(name => !name.StartsWith("System.IEquatable<", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        return modifiers + kind + " " + Name(type) + (bases.Count == 0 ? string.Empty : " : " + string.Join(", ", bases));
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            foreach (var name in Enum.GetNames(type))
            {
                yield return name + " = " + Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
            }

            yield break;
        }

        foreach (var field in type.GetFields(Declared).Where(field => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly))
        {
            yield return (field.IsLiteral ? "const " : field.IsStatic ? "static " : string.Empty) + (field.IsInitOnly ? "readonly " : string.Empty) + Typed(field.FieldType, Nullability.Create(field)) + " " + field.Name;
        }

        foreach (var property in type.GetProperties(Declared))
        {
            var getter = property.GetMethod is { } get && IsVisible(get) ? "get; " : string.Empty;
            var setter = property.SetMethod is not { } set || !IsVisible(set) ? string.Empty
                : set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init; " : "set; ";
            if (getter.Length + setter.Length > 0 && property.Name != "EqualityContract")
            {
                var required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : string.Empty;
                var index = property.GetIndexParameters();
                yield return Modifiers(property.GetMethod ?? property.SetMethod!) + required + Typed(property.PropertyType, Nullability.Create(property)) + " "
                    + (index.Length == 0 ? property.Name : "this[" + Parameters(index) + "]") + " { " + getter + setter + "}";
            }
        }

        foreach (var added in type.GetEvents(Declared).Where(added => IsVisible(added.AddMethod!)))
        {
            yield return "event " + Name(added.EventHandlerType!) + " " + added.Name;
        }

        foreach (var constructor in type.GetConstructors(Declared).Where(constructor => !constructor.IsStatic && IsVisible(constructor) && !IsGenerated(constructor)))
        {
            yield return Modifiers(constructor) + "new(" + Parameters(constructor.GetParameters()) + ")";
        }

        foreach (var method in type.GetMethods(Declared).Where(method => IsVisible(method) && !method.IsSpecialName && !IsGenerated(method)))
        {
            var generic = method.IsGenericMethod ? "<" + string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name)) + ">" : string.Empty;
            yield return Modifiers(method) + Typed(method.ReturnType, Nullability.Create(method.ReturnParameter)) + " " + method.Name + generic + "(" + Parameters(method.GetParameters()) + ")";
        }
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static bool IsGenerated(MethodBase method) => method.IsDefined(typeof(CompilerGeneratedAttribute));

    private static string Modifiers(MethodBase method) =>
        (method.IsPublic ? string.Empty : "protected ") +
        (method.IsStatic ? "static " : method.IsAbstract && !method.DeclaringType!.IsInterface ? "abstract "
            : method is MethodInfo { IsVirtual: true, IsFinal: false } info && !info.DeclaringType!.IsInterface ? (info.GetBaseDefinition() == info ? "virtual " : "override ") : string.Empty);

    private static string Parameters(ParameterInfo[] parameters) => string.Join(", ", parameters.Select(parameter =>
        (parameter.Position == 0 && parameter.Member.IsDefined(typeof(ExtensionAttribute), inherit: false) ? "this " : string.Empty) + Passing(parameter) + Typed(parameter.ParameterType, Nullability.Create(parameter)) + " " + parameter.Name
        + (parameter.HasDefaultValue ? " = " + Literal(parameter.DefaultValue) : string.Empty)));

    private static string Passing(ParameterInfo parameter) =>
        !parameter.ParameterType.IsByRef ? string.Empty : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";

    private static string Literal(object? value) => value switch
    {
        null => "default",
        string text => "\"" + text + "\"",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Typed(Type type, NullabilityInfo nullability) =>
        Name(type) + (!type.IsValueType && nullability.ReadState == NullabilityState.Nullable ? "?" : string.Empty);

    private static string Name(Type type)
    {
        if (Keywords.TryGetValue(type, out var keyword))
        {
            return keyword;
        }

        if (type.IsGenericParameter)
        {
            return type.Name;
        }

        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }

        if (type.HasElementType)
        {
            return Name(type.GetElementType()!) + (type.IsArray ? "[" + new string(',', type.GetArrayRank() - 1) + "]" : "*");
        }

        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Name(underlying) + "?";
        }

        var name = (type.IsNested ? Name(type.DeclaringType!) + "." : type.Namespace + ".") + type.Name.Split('`')[0];
        return type.IsGenericType ? name + "<" + string.Join(", ", type.GetGenericArguments().Select(Name)) + ">" : name;
    }
}
