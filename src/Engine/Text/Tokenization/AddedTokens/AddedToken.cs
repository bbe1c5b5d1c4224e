namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A token recognised in the text itself, before anything else.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its exact text.</param>
/// <param name="SingleWord">Only where no word character stands beside it.</param>
/// <param name="StripLeft">Takes the white space before it along.</param>
/// <param name="StripRight">Takes the white space after it along.</param>
/// <param name="Normalized">Matches in normalized text, by its own normalized form.</param>
/// <param name="Special">Left out by a decoding that skips special tokens.</param>
internal sealed record AddedToken(int Id, string Content, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized, bool Special);
