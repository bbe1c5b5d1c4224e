using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Logits that lie on a card to tokens: the tokens of <see cref="Sampler.Pick"/>, to the bit, from a summary of the rows. A row is read only where its request changes single logits, or where the
/// summary does not settle which tokens are left. Not for concurrent use.</summary>
internal sealed class SummarySampler : IDisposable
{
    private readonly IBackend _backend;
    private readonly Sampler _sampler;
    private readonly LogitSummary _summary;
    private readonly CandidateDraw _draw;
    private readonly int[] _settings;
    private readonly Exception?[] _failed;
    private readonly bool[] _whole;
    private readonly int[] _results;
    private Rows _logits;

    /// <param name="backend">Where the logits lie.</param>
    /// <param name="sampler">For rows that must be read.</param>
    /// <param name="rows">Rows of the largest step.</param>
    /// <param name="vocabulary">Tokens.</param>
    public SummarySampler(IBackend backend, Sampler sampler, int rows, int vocabulary)
    {
        (_backend, _sampler) = (backend, sampler);
        _summary = new LogitSummary(backend, rows, vocabulary);
        _draw = new CandidateDraw(vocabulary);
        _settings = new int[_summary.Settings.Length];
        _results = new int[_summary.Results.Length];
        (_failed, _whole) = (new Exception?[rows], new bool[rows]);
    }

    /// <summary>Asks for the summary of a step's rows. The masks are made while the card still computes the step.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="logits">A row for each item that samples.</param>
    public void Begin(Batch batch, Rows logits)
    {
        _logits = logits;
        int row = 0, used = batch.SampleCount * LogitSummary.SettingLength, wholeRows = 0, draws = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            if (!batch[i].Samples)
            {
                continue;
            }

            var sequence = batch[i].Sequence;
            var options = sequence.Sampling;
            _failed[row] = null;
            _whole[row] = options.Logprobs is not null || sequence.LogitBias.Length > 0 || options.RepetitionPenalty != 1 || options.FrequencyPenalty != 0 || options.PresencePenalty != 0;
            var setting = _settings.AsSpan(row * LogitSummary.SettingLength, LogitSummary.SettingLength);
            setting.Clear();
            if (_whole[row])
            {
                wholeRows++;
            }
            else
            {
                if (options.Temperature != 0)
                {
                    setting[0] = BitConverter.SingleToInt32Bits(SoftWeights.Scale(options.Temperature));
                    draws++;
                }

                if (sequence.Constraint is not null)
                {
                    used += Mask(sequence, row, setting, used);
                }
            }

            row++;
        }

        if (wholeRows < row)
        {
            _backend.Upload(_settings.AsSpan(0, used), _summary.Settings);
            _backend.Summarise(logits, _summary, row, draws > 0);
            var count = draws == 0 ? row * LogitSummary.HeadLength : _summary.Body(row);
            _backend.DownloadInts(_summary.Results, count).CopyTo(_results);
        }

        if (wholeRows > 1)
        {
            _backend.Fetch(logits, row);
        }
    }

    /// <summary>The next token of the sequence whose row it is.</summary>
    /// <exception cref="NumericalFaultException">As <see cref="Sampler.Pick"/> says.</exception>
    /// <exception cref="GrammarException">As <see cref="Sampler.Pick"/> says.</exception>
    public int Pick(int row, Sequence sequence)
    {
        if (_failed[row] is { } error)
        {
            throw error;
        }

        var token = _whole[row] ? -1 : FromSummary(row, sequence);
        return token >= 0 ? token : _sampler.Pick(sequence, _backend.Download(_logits, row));
    }

    public void Dispose() => _summary.Dispose();

    /// <summary>Words that the row's mask takes.</summary>
    private int Mask(Sequence sequence, int row, Span<int> setting, int at)
    {
        try
        {
            ConstraintMask.Write(sequence, MemoryMarshal.Cast<int, uint>(_settings.AsSpan(at, _summary.MaskWords)));
            setting[1] = at;
            return _summary.MaskWords;
        }
        catch (GrammarException e)
        {
            _failed[row] = e;
            return 0;
        }
    }

    /// <summary>-1: the row must be read.</summary>
    private int FromSummary(int row, Sequence sequence)
    {
        var head = _results.AsSpan(row * LogitSummary.HeadLength, LogitSummary.HeadLength);
        if (head[0] != 0 || head[1] < 0)
        {
            // The sampler has the words for it.
            return -1;
        }

        if (sequence.Sampling.Temperature == 0)
        {
            return head[1];
        }

        var body = _results.AsSpan(_summary.Body(row), _summary.BodyLength);
        var ids = body[..head[3]];
        var logits = MemoryMarshal.Cast<int, float>(body.Slice(LogitSummary.Candidates, head[3]));
        ids.Sort(logits);
        var token = _draw.Pick(sequence, ids, logits, BitConverter.Int32BitsToSingle(head[2]), MemoryMarshal.Cast<int, double>(body[(2 * LogitSummary.Candidates)..]), out var run, out var rest);
        return token < 0 && run >= 0 && sequence.Constraint is null ? FromRun(sequence, run, rest, BitConverter.Int32BitsToSingle(head[2]), row) : token;
    }

    /// <summary>The token in a run, which is read by itself; -1 where rounding leads beyond it.</summary>
    private int FromRun(Sequence sequence, int run, double rest, float max, int row)
    {
        var first = run * SoftWeights.Run;
        var part = _backend.Download(_logits.Slice(first, Math.Min(SoftWeights.Run, _summary.Vocabulary - first)), row);
        var at = _draw.PickInRun(part, max, SoftWeights.Scale(sequence.Sampling.Temperature), rest);
        return at < 0 ? -1 : first + at;
    }
}
