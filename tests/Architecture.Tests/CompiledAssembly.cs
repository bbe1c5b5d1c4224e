using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace KvPrefetch.Tests.Architecture;

/// <summary>What a compiled assembly says about itself, read from its metadata and IL without loading it.</summary>
internal sealed class CompiledAssembly : IDisposable
{
    private readonly PEReader _file;
    private readonly MetadataReader _metadata;
    private readonly Dictionary<string, CompiledAssembly> _references;

    /// <param name="path">The dll.</param>
    /// <param name="references">Assemblies of ours whose types count as targets of edges.</param>
    public CompiledAssembly(string path, params CompiledAssembly[] references)
    {
        _file = new PEReader(File.OpenRead(path));
        _metadata = _file.GetMetadataReader();
        Name = _metadata.GetString(_metadata.GetAssemblyDefinition().Name);
        _references = references.ToDictionary(reference => reference.Name, StringComparer.Ordinal);
    }

    public string Name { get; }

    /// <summary>Full names of all types of the assembly that people wrote, outermost ones only, with their rooms.</summary>
    public IEnumerable<(string Type, string Room)> Types() =>
        from handle in _metadata.TypeDefinitions
        let type = _metadata.GetTypeDefinition(handle)
        where !type.IsNested
        let room = RoomOf(handle)
        where room is not null
        select (NameOf(handle), room);

    /// <summary>Names of the assemblies it refers to.</summary>
    public IEnumerable<string> ReferencedAssemblies() => _metadata.AssemblyReferences.Select(handle => _metadata.GetString(_metadata.GetAssemblyReference(handle).Name));

    /// <summary>True if any project file or compiler switch allowed unsafe code in it.</summary>
    public bool WasCompiledUnsafe() =>
        _metadata.GetCustomAttributes(EntityHandle.ModuleDefinition).Any(handle => AttributeName(handle) == "System.Security.UnverifiableCodeAttribute");

    /// <summary>Every method that is a P/Invoke, and every use of <see cref="System.Runtime.InteropServices.NativeLibrary"/>.</summary>
    public IEnumerable<(string Type, string? Room, string Member)> NativeCalls()
    {
        foreach (var handle in _metadata.TypeDefinitions)
        {
            foreach (var methodHandle in _metadata.GetTypeDefinition(handle).GetMethods())
            {
                var method = _metadata.GetMethodDefinition(methodHandle);
                if (method.Attributes.HasFlag(MethodAttributes.PinvokeImpl) || Tokens(method).Any(IsNativeLibrary))
                {
                    yield return (NameOf(handle), RoomOf(handle), _metadata.GetString(method.Name));
                }
            }
        }
    }

    /// <summary>Every use of one of our types by another of our types: bases, interfaces, attributes, constraints, signatures, locals and instructions.</summary>
    public IReadOnlyCollection<Edge> Edges()
    {
        var edges = new Dictionary<(string, string), Edge>();
        foreach (var handle in _metadata.TypeDefinitions)
        {
            if (RoomOf(handle) is not { } room)
            {
                continue;
            }

            var from = NameOf(handle);
            foreach (var (target, member) in Uses(handle))
            {
                if (Resolve(target) is var (to, toRoom) && toRoom is not null && to != from)
                {
                    edges.TryAdd((from, to), new Edge(from, room, to, toRoom, member));
                }
            }
        }

        return edges.Values;
    }

    public void Dispose() => _file.Dispose();

    private IEnumerable<(EntityHandle Target, string Member)> Uses(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(handle);
        var seen = new List<EntityHandle>();
        var collector = new Collector(seen);
        Add(type.BaseType, collector);
        AddAttributes(type.GetCustomAttributes(), collector);
        AddConstraints(type.GetGenericParameters(), collector);
        foreach (var implementation in type.GetInterfaceImplementations())
        {
            Add(_metadata.GetInterfaceImplementation(implementation).Interface, collector);
        }

        foreach (var target in Drain(seen))
        {
            yield return (target, "its declaration");
        }

        foreach (var fieldHandle in type.GetFields())
        {
            var field = _metadata.GetFieldDefinition(fieldHandle);
            field.DecodeSignature(collector, genericContext: null);
            AddAttributes(field.GetCustomAttributes(), collector);
            foreach (var target in Drain(seen))
            {
                yield return (target, _metadata.GetString(field.Name));
            }
        }

        foreach (var methodHandle in type.GetMethods())
        {
            var method = _metadata.GetMethodDefinition(methodHandle);
            method.DecodeSignature(collector, genericContext: null);
            AddAttributes(method.GetCustomAttributes(), collector);
            AddConstraints(method.GetGenericParameters(), collector);
            AddBody(method, collector);
            foreach (var target in Drain(seen))
            {
                yield return (target, _metadata.GetString(method.Name));
            }
        }

        foreach (var propertyHandle in type.GetProperties())
        {
            var property = _metadata.GetPropertyDefinition(propertyHandle);
            AddAttributes(property.GetCustomAttributes(), collector);
            foreach (var target in Drain(seen))
            {
                yield return (target, _metadata.GetString(property.Name));
            }
        }
    }

    private static EntityHandle[] Drain(List<EntityHandle> seen)
    {
        var all = seen.ToArray();
        seen.Clear();
        return all;
    }

    private void AddAttributes(CustomAttributeHandleCollection attributes, Collector collector)
    {
        foreach (var handle in attributes)
        {
            Add(_metadata.GetCustomAttribute(handle).Constructor, collector);
        }
    }

    private void AddConstraints(GenericParameterHandleCollection parameters, Collector collector)
    {
        foreach (var constraint in parameters.SelectMany(parameter => _metadata.GetGenericParameter(parameter).GetConstraints()))
        {
            Add(_metadata.GetGenericParameterConstraint(constraint).Type, collector);
        }
    }

    private void AddBody(MethodDefinition method, Collector collector)
    {
        if (Body(method) is not { } body)
        {
            return;
        }

        if (!body.LocalSignature.IsNil)
        {
            _metadata.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(collector, genericContext: null);
        }

        foreach (var region in body.ExceptionRegions)
        {
            Add(region.CatchType, collector);
        }

        foreach (var token in IlReader.Tokens(body.GetILReader()))
        {
            Add(token, collector);
        }
    }

    private MethodBodyBlock? Body(MethodDefinition method) => method.RelativeVirtualAddress == 0 ? null : _file.GetMethodBody(method.RelativeVirtualAddress);

    private IEnumerable<EntityHandle> Tokens(MethodDefinition method) => Body(method) is { } body ? IlReader.Tokens(body.GetILReader()) : [];

    private bool IsNativeLibrary(EntityHandle token)
    {
        var parent = token.Kind == HandleKind.MemberReference ? _metadata.GetMemberReference((MemberReferenceHandle)token).Parent : token;
        return parent.Kind == HandleKind.TypeReference && ReferenceName((TypeReferenceHandle)parent) == "System.Runtime.InteropServices.NativeLibrary";
    }

    /// <summary>Everything that a metadata token names, down to definitions and references of types.</summary>
    private void Add(EntityHandle token, Collector collector)
    {
        if (token.IsNil)
        {
            return;
        }

        switch (token.Kind)
        {
            case HandleKind.TypeDefinition or HandleKind.TypeReference:
                collector.Seen.Add(token);
                break;
            case HandleKind.TypeSpecification:
                _metadata.GetTypeSpecification((TypeSpecificationHandle)token).DecodeSignature(collector, genericContext: null);
                break;
            case HandleKind.MethodDefinition:
                collector.Seen.Add(_metadata.GetMethodDefinition((MethodDefinitionHandle)token).GetDeclaringType());
                break;
            case HandleKind.FieldDefinition:
                collector.Seen.Add(_metadata.GetFieldDefinition((FieldDefinitionHandle)token).GetDeclaringType());
                break;
            case HandleKind.MethodSpecification:
                var specification = _metadata.GetMethodSpecification((MethodSpecificationHandle)token);
                Add(specification.Method, collector);
                specification.DecodeSignature(collector, genericContext: null);
                break;
            case HandleKind.MemberReference:
                var member = _metadata.GetMemberReference((MemberReferenceHandle)token);
                Add(member.Parent, collector);
                if (member.GetKind() == MemberReferenceKind.Method)
                {
                    member.DecodeMethodSignature(collector, genericContext: null);
                }
                else
                {
                    member.DecodeFieldSignature(collector, genericContext: null);
                }

                break;
            case HandleKind.StandaloneSignature:
                _metadata.GetStandaloneSignature((StandaloneSignatureHandle)token).DecodeMethodSignature(collector, genericContext: null);
                break;
        }
    }

    private (string Name, string? Room) Resolve(EntityHandle handle)
    {
        if (handle.Kind == HandleKind.TypeDefinition)
        {
            var definition = (TypeDefinitionHandle)handle;
            return (NameOf(definition), RoomOf(definition));
        }

        var reference = Outermost((TypeReferenceHandle)handle);
        if (reference.ResolutionScope.Kind != HandleKind.AssemblyReference
            || !_references.TryGetValue(_metadata.GetString(_metadata.GetAssemblyReference((AssemblyReferenceHandle)reference.ResolutionScope).Name), out var assembly))
        {
            return (string.Empty, null);
        }

        return assembly.Find(_metadata.GetString(reference.Namespace), _metadata.GetString(reference.Name));
    }

    private (string Name, string? Room) Find(string space, string name)
    {
        foreach (var handle in _metadata.TypeDefinitions)
        {
            var type = _metadata.GetTypeDefinition(handle);
            if (!type.IsNested && _metadata.StringComparer.Equals(type.Name, name) && _metadata.StringComparer.Equals(type.Namespace, space))
            {
                return (NameOf(handle), RoomOf(handle));
            }
        }

        return (space + "." + name, null);
    }

    private TypeReference Outermost(TypeReferenceHandle handle)
    {
        var reference = _metadata.GetTypeReference(handle);
        while (reference.ResolutionScope.Kind == HandleKind.TypeReference)
        {
            reference = _metadata.GetTypeReference((TypeReferenceHandle)reference.ResolutionScope);
        }

        return reference;
    }

    private TypeDefinitionHandle Outermost(TypeDefinitionHandle handle)
    {
        while (_metadata.GetTypeDefinition(handle).GetDeclaringType() is { IsNil: false } outer)
        {
            handle = outer;
        }

        return handle;
    }

    /// <summary>Nested types (closures, state machines) count as the type that holds them.</summary>
    private string NameOf(TypeDefinitionHandle handle)
    {
        var type = _metadata.GetTypeDefinition(Outermost(handle));
        return _metadata.GetString(type.Namespace) + "." + _metadata.GetString(type.Name);
    }

    private string? RoomOf(TypeDefinitionHandle handle)
    {
        var outer = Outermost(handle);
        return Rooms.Of(_metadata.GetString(_metadata.GetTypeDefinition(outer).Namespace), NameOf(outer), IsException(outer));
    }

    private bool IsException(TypeDefinitionHandle handle)
    {
        EntityHandle current = handle;
        while (current is { IsNil: false, Kind: HandleKind.TypeDefinition })
        {
            current = _metadata.GetTypeDefinition((TypeDefinitionHandle)current).BaseType;
        }

        return current is { IsNil: false, Kind: HandleKind.TypeReference } && ReferenceName((TypeReferenceHandle)current).EndsWith("Exception", StringComparison.Ordinal);
    }

    private string ReferenceName(TypeReferenceHandle handle)
    {
        var reference = _metadata.GetTypeReference(handle);
        return _metadata.GetString(reference.Namespace) + "." + _metadata.GetString(reference.Name);
    }

    private string AttributeName(CustomAttributeHandle handle) =>
        _metadata.GetCustomAttribute(handle).Constructor is { Kind: HandleKind.MemberReference } constructor
        && _metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent is { Kind: HandleKind.TypeReference } parent
            ? ReferenceName((TypeReferenceHandle)parent)
            : string.Empty;

    /// <summary>Notes every type that a signature names.</summary>
    private sealed class Collector(List<EntityHandle> seen) : ISignatureTypeProvider<int, object?>
    {
        public List<EntityHandle> Seen { get; } = seen;

        public int GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => Note(handle);
        public int GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => Note(handle);
        public int GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);

        public int GetArrayType(int elementType, ArrayShape shape) => 0;
        public int GetByReferenceType(int elementType) => 0;
        public int GetFunctionPointerType(MethodSignature<int> signature) => 0;
        public int GetGenericInstantiation(int genericType, ImmutableArray<int> typeArguments) => 0;
        public int GetGenericMethodParameter(object? genericContext, int index) => 0;
        public int GetGenericTypeParameter(object? genericContext, int index) => 0;
        public int GetModifiedType(int modifier, int unmodifiedType, bool isRequired) => 0;
        public int GetPinnedType(int elementType) => 0;
        public int GetPointerType(int elementType) => 0;
        public int GetPrimitiveType(PrimitiveTypeCode typeCode) => 0;
        public int GetSZArrayType(int elementType) => 0;

        private int Note(EntityHandle handle)
        {
            Seen.Add(handle);
            return 0;
        }
    }
}
