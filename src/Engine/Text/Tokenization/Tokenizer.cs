namespace KvPrefetch.Engine.Text.Tokenization;

public sealed class Tokenizer { }
