namespace KvPrefetch.Engine.Text;

/// <summary>Who wrote a piece of text.</summary>
public enum Provenance : byte
{
    /// <summary>The model's own template: may contain control tokens.</summary>
    Template,
    /// <summary>A user, a tool, a document: never becomes a control token, whatever it spells.</summary>
    Content,
}

/// <summary>A piece of a rendered prompt and who wrote it.</summary>
public readonly record struct TextSpan(string Text, Provenance Provenance);
