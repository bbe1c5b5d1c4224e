namespace KvPrefetch.Engine.Text.Templates;

public sealed class ChatTemplate { }
