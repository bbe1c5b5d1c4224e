using KvPrefetch.Tests.Provider.Conformance;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.Embedded;

/// <summary>Trained weights, which choose for themselves.</summary>
public sealed class EmbeddedConformance(EmbeddedModel model) : ChatClientConformance, IClassFixture<EmbeddedModel>
{
    protected override IChatClient Client => model.Client;
}
