namespace KvPrefetch.Engine.Backends;

/// <summary>A view of int32 values from element <paramref name="Start"/> of a buffer on.</summary>
internal readonly record struct Ints(DeviceBuffer Buffer, int Start);
