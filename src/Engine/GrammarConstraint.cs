using System.Runtime.InteropServices;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Engine;

/// <summary>A grammar as a request's constraint. The mask of the next token is computed on another thread while the model computes its logits;
/// where no thread came to it meanwhile, the pump computes it itself.
/// <para>Text that the grammar forces is cut into tokens as the model's tokenizer cuts it, and no other tokens are allowed there. So the tokens are the same whether they are taken at once
/// (<see cref="Forced"/>) or one by one from their masks. They may differ from those that the model would have chosen for the same text under a grammar alone.</para></summary>
#pragma warning disable CA1001    // the event's wait handle is never made, so nothing is there to dispose
internal sealed class GrammarConstraint : TokenConstraint, IThreadPoolWorkItem
#pragma warning restore CA1001
{
    // A grammar whose forced text has no end would go on for ever.
    private const int MaxForced = 1024;

    private readonly ConstraintState _state;
    private readonly int[] _stopTokens;
    private readonly bool _jumpsAhead;
    private readonly List<int> _forced = [];
    private readonly uint[] _mask;
    private readonly ManualResetEventSlim _ready = new();
    private int _taken;
    private bool _canEnd;
    private GrammarException? _error;

    /// <param name="state">At the start of the text.</param>
    /// <param name="stopTokens">Tokens that end the text and are never forced.</param>
    /// <param name="jumpsAhead">Gives forced tokens at once; else each is the only one in its mask.</param>
    public GrammarConstraint(ConstraintState state, IReadOnlyList<int> stopTokens, bool jumpsAhead)
    {
        (_state, _stopTokens, _jumpsAhead) = (state, [.. stopTokens], jumpsAhead);
        _mask = new uint[state.MaskWords];
        Guard(static constraint => constraint.Jump());
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    public override ReadOnlySpan<int> Forced => CollectionsMarshal.AsSpan(_forced);

    public override ReadOnlySpan<uint> Allowed(out bool canEnd)
    {
        Await();
        canEnd = _canEnd;
        return _error is null ? _mask : throw _error;
    }

    public override void Advance(int token)
    {
        Await();
        if (!_state.Advance(token))
        {
            throw new GrammarException(GrammarError.DeadEnd, $"Token {token} was chosen and the grammar does not take it.");
        }

        Guard(static constraint => constraint.Jump());
        _ready.Reset();
        Volatile.Write(ref _taken, 0);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Thread pool: the mask of where the text stands.</summary>
    public void Execute()
    {
        if (Interlocked.Exchange(ref _taken, 1) == 0)
        {
            Guard(static constraint => constraint.ComputeMask());
            _ready.Set();
        }
    }

    private void Await()
    {
        Execute();
        _ready.Wait();
    }

    /// <summary>Takes what is forced from here on.</summary>
    private void Jump()
    {
        _forced.Clear();
        while (_jumpsAhead && _forced.Count < MaxForced && _state.ForcedTokens() is { Length: > 0 } tokens)
        {
            foreach (var token in tokens)
            {
                if (_stopTokens.AsSpan().Contains(token) || !_state.Advance(token))
                {
                    return;
                }

                _forced.Add(token);
            }
        }
    }

    private void ComputeMask()
    {
        if (_error is not null)
        {
            return;
        }

        if (_state.ForcedTokens() is [var only, ..] && !_stopTokens.AsSpan().Contains(only))
        {
            _mask.AsSpan().Clear();
            _mask[only >> 5] = 1u << only;
            _canEnd = false;
            return;
        }

        _state.ComputeMask(_mask);
        _canEnd = _state.CanEnd;
    }

    /// <summary>Keeps what goes wrong for whoever asks for the mask.</summary>
    private void Guard(Action<GrammarConstraint> work)
    {
        try
        {
            work(this);
        }
        catch (GrammarException e)
        {
            _error = e;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A mistake of ours ends this request and no other.
            _error = new GrammarException(GrammarError.Unsupported, $"The grammar could not be followed: {e.Message}");
        }
    }
}
