using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Engine;

/// <summary>A grammar as a request's constraint. The mask of the next token is computed on another thread while the model computes its logits.</summary>
internal sealed class GrammarConstraint : TokenConstraint, IThreadPoolWorkItem
{
    private readonly ConstraintState _state;
    private readonly uint[] _mask;
    private readonly object _gate = new();
    private bool _isReady;
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
        Wait();
        canEnd = _canEnd;
        return _error is null ? _mask : throw _error;
    }

    public override void Advance(int token)
    {
        Wait();
        if (!_state.Advance(token))
        {
            throw new GrammarException(GrammarError.DeadEnd, $"Token {token} was chosen and the grammar does not take it.");
        }

        _isReady = false;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Thread pool: the mask of where the text stands.</summary>
    public void Execute()
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
            lock (_gate)
            {
                _isReady = true;
                Monitor.PulseAll(_gate);
            }
        }
    }

    private void Wait()
    {
        lock (_gate)
        {
            while (!_isReady)
            {
                Monitor.Wait(_gate);
            }
        }
    }
}
