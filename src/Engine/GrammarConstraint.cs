using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Engine;

/// <summary>A grammar as a request's constraint. The mask of the next token is computed on another thread while the model computes its logits;
/// where no thread came to it meanwhile, the pump computes it itself.</summary>
#pragma warning disable CA1001    // the event's wait handle is never made, so nothing is there to dispose
internal sealed class GrammarConstraint : TokenConstraint, IThreadPoolWorkItem
#pragma warning restore CA1001
{
    private readonly ConstraintState _state;
    private readonly uint[] _mask;
    private readonly ManualResetEventSlim _ready = new();
    private int _taken;
    private bool _canEnd;
    private GrammarException? _error;

    public GrammarConstraint(ConstraintState state)
    {
        _state = state;
        _mask = new uint[state.MaskWords];
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

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

        _ready.Reset();
        Volatile.Write(ref _taken, 0);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Thread pool: the mask of where the text stands.</summary>
    public void Execute()
    {
        if (Interlocked.Exchange(ref _taken, 1) == 0)
        {
            Compute();
        }
    }

    private void Await()
    {
        Execute();
        _ready.Wait();
    }

    private void Compute()
    {
        try
        {
            _state.ComputeMask(_mask);
            _canEnd = _state.CanEnd;
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
        finally
        {
            _ready.Set();
        }
    }
}
