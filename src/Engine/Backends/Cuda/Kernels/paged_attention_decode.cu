// Decode attention over KV pages, one query row per sequence; the query heads of a KV head share every byte that is read.
//
//   output[s, h] = sum_t p[t] * V[t] / sum_t p[t],  p[t] = exp(cap(scale * growth(position) * Q[s, h] . K[t])),  position - window < t <= position
//   cap(x) = softCap * tanh(x / softCap), or x; a sink adds exp(sink[h]) to the lower sum.
//
// Shapes   q [rows, heads * HEAD_DIM] (one row every qStride elements), output likewise; keys and values: slabs of kv_slab.cuh, [page][kvHead][16][HEAD_DIM].
//          Sequences with another number of rows than one are passed over (rowStarts; null: row s is sequence s).
// Grid     params.ctas (at most the SMs of the card, all resident at once: CTAs wait for each other's partial results); block WARPS * 32.
// Work     Units are (sequence, head block, page), in this order; a head block is up to 8 query heads of one KV head. Each CTA takes an equal run of units
//          ("stream-K"), warp w every WARPS-th of them, through its own ring of STAGES slots of one K and one V slab: 128 KB on their way per SM.
//          S^T = K Q^T and O^T += V^T P^T on m16n8k16 with the 8 columns for the heads; float32 accumulators and softmax (base 2, rescaled only when a maximum rises).
//          The warps of a CTA are combined at the end of each piece of a (sequence, head block); pieces of different CTAs through records in global memory, each word
//          of which is empty (all ones) until it is written and after it was read, so that a launch needs neither atomics nor a second kernel.
// Splits   FIXED_SPLIT = 0: equal runs of units; where a context is cut depends on the batch. FIXED_SPLIT = n: contexts are cut at multiples of n pages only
//          (n a multiple of WARPS): a sequence's bits do not depend on its neighbours.
// Prefetch The rings can be filled with all pages but each sequence's last before dependency_wait (flag RINGS_AHEAD): those do not depend on the kernel before this one.
//          PREFETCH = 1: with each copy that is issued, the slabs of the unit PREFETCH_DISTANCE ring slots further on are asked into L2; 2 (control): the same
//          instruction, aimed at what is being copied anyway. No policy changes a bit of the output.
//          So no kernel of the same step may write to a page that a sequence reads as an old one.
// Bytes    KV: pages * 2 * SLAB_BYTES * kvHeads (once for each head block), q and output once.
// Needs    sequences > 0. After a launch that was broken off the records must be set to all ones again.
// Defines  HEAD_DIM, GROUP (query heads per KV head), WARPS, STAGES, STAGING (buffers, 1 or 2), ELEMENT_F16, Q_TYPE and OUT_TYPE (0 float32, 1 float16, 2 bfloat16),
//          SOFT_CAP, FIXED_SPLIT, LEAST_UNITS (of a CTA, where splits are free), PREFETCH, PREFETCH_DISTANCE.

#include "async.cuh"
#include "common.cuh"
#include "mma.cuh"
#include "kv_slab.cuh"

#define RINGS_AHEAD 1
#define TRIGGER_EARLY 2

struct DecodeParams
{
    const void* q;
    void* output;
    const char* keys;
    const char* values;
    const int* positions;
    const int* rowStarts;
    const int* blockTableStarts;
    const int* blockTables;
    const float* sinks;
    // Records of 8 words for the partial results; all ones before and after every launch.
    unsigned* records;
    long long qStride;
    long long outputStride;
    int sequences;
    int kvHeads;
    int ctas;
    // Tokens that a token sees; 0: all.
    int window;
    // Without a soft cap scale * log2(e), with one scale / softCap.
    float scale;
    // softCap * log2(e)
    float cap;
    float growthBeta;
    int growthLength;
    int flags;
    int reserved;
};

CHECK_PARAMS(DecodeParams);

namespace {

constexpr int Threads = WARPS * 32;
constexpr int HeadBlocks = (GROUP + 7) / 8;
constexpr int BlockHeads = (GROUP + HeadBlocks - 1) / HeadBlocks;
constexpr int Tiles = HEAD_DIM / 16;
constexpr int Quads = HEAD_DIM / 4;
constexpr int Records = BlockHeads * Quads;
constexpr int QBytes = Q_TYPE == 0 ? 4 : 2;
constexpr int QRowBytes = (HEAD_DIM * QBytes) + 16;
constexpr int StagingRow = HEAD_DIM + 4;
constexpr unsigned Empty = 0xffffffffu;
constexpr unsigned LastPage = 0x80000000u;

constexpr int RingBytes = WARPS * STAGES * 2 * SLAB_BYTES;
constexpr int StagingBytes = WARPS * BlockHeads * StagingRow * 4;
constexpr int StagingStart = RingBytes;
constexpr int SumsStart = StagingStart + (STAGING * StagingBytes);
constexpr int SumsBytes = WARPS * BlockHeads * 8;
constexpr int QStart = SumsStart + (((STAGING * SumsBytes) + 15) / 16 * 16);
constexpr int BarrierStart = QStart + (((2 * BlockHeads * QRowBytes) + 15) / 16 * 16);
constexpr int TableStart = BarrierStart + ((((WARPS * STAGES * 2) + 6) * 8 + 15) / 16 * 16);

// Small batches: each warp has a table of its own, and the CTA need not wait for itself.
constexpr int OwnTable = 32;
constexpr int OwnTableInts = (3 * OwnTable) + 2 + OwnTable;

static_assert(HEAD_DIM % 16 == 0, "tiles of 16");
static_assert(FIXED_SPLIT % WARPS == 0, "a split is whole rounds of the warps");

// a / b for 0 <= a, 0 < b, shorter than the general one.
__device__ __forceinline__ int divide(int a, int b)
{
    float reciprocal;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"((float)b));
    int q = (int)((float)a * reciprocal);

    // Within 2^-21 of the quotient: a second step on the rest makes it exact but for one.
    int rest = a - (q * b);
    const int more = (int)((float)rest * reciprocal);
    q += more;
    rest -= more * b;
    return rest < 0 ? q - 1 : rest >= b ? q + 1 : q;
}

struct Place
{
    int sequence;
    // Of all sequences' head blocks together with the units: first unit, pages.
    int start;
    int pages;
    int headBlock;
};

__device__ __forceinline__ int first_page(int position, int window)
{
    return window > 0 ? max(0, position - window + 1) / SLAB_TOKENS : 0;
}

// Splits of a sequence's context: how many, and the first page of the k-th.
__device__ __forceinline__ int splits_of(int position, int window)
{
#if FIXED_SPLIT
    return ((position / SLAB_TOKENS) / FIXED_SPLIT) - (first_page(position, window) / FIXED_SPLIT) + 1;
#else
    return 1;
#endif
}

__device__ __forceinline__ float exp2_fast(float x)
{
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
    return result;
}

__device__ __forceinline__ unsigned filled(float x)
{
    const unsigned bits = __float_as_uint(x);
    return bits == Empty ? 0x7fffffffu : bits;
}

__device__ __forceinline__ void write_output(const DecodeParams& params, long long element, float a, float b, float c, float d)
{
#if OUT_TYPE == 0
    *(float4*)((float*)params.output + element) = make_float4(a, b, c, d);
#elif OUT_TYPE == 2
    uint2 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed.x) : "f"(b), "f"(a));
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed.y) : "f"(d), "f"(c));
    *(uint2*)((unsigned short*)params.output + element) = packed;
#else
    uint2 packed;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed.x) : "f"(b), "f"(a));
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed.y) : "f"(d), "f"(c));
    *(uint2*)((unsigned short*)params.output + element) = packed;
#endif
}

// Divides by the sum, the sink's share included.
__device__ __forceinline__ void finish(const DecodeParams& params, int row, int head, int quad, float maximum, float sum, float4 o)
{
    float factor = 1.0f;
    if (params.sinks)
    {
        const float sink = params.sinks[head] * 1.4426950408889634f;
        const float top = fmaxf(maximum, sink);
        factor = exp2_fast(maximum - top);
        sum = (sum * factor) + exp2_fast(sink - top);
    }
    factor = factor / sum;
    write_output(params, (row * params.outputStride) + ((long long)head * HEAD_DIM) + (quad * 4), o.x * factor, o.y * factor, o.z * factor, o.w * factor);
}

__device__ __forceinline__ void load_q_pair(const char* row, int column, unsigned& pair)
{
#if Q_TYPE == 0
    const float2 v = *(const float2*)(row + (column * 4));
    pair = pack_elements(v.x, v.y);
#elif (Q_TYPE == 1) == (ELEMENT_F16 != 0)
    pair = *(const unsigned*)(row + (column * 2));
#else
#error "q is float32 or of the pages' type"
#endif
}

// Everything that a CTA knows about the batch: for each sequence the pages before it, its position, where its block table begins, the splits before it.
struct Table
{
    const int* pages;
    const int* positions;
    const int* starts;
    const int* splits;
    int headBlocks;
    int sequences;

    int window;
    int kvHeads;
    const int* blockTables;

    // The sequence whose units (or, with its cumulative counts, splits) hold number u.
    __device__ __forceinline__ int find(const int* cumulative, int u) const
    {
        int low = 0, high = sequences;
        while (high - low > 1)
        {
            const int middle = (low + high) >> 1;
            if (cumulative[middle] * headBlocks <= u)
            {
                low = middle;
            }
            else
            {
                high = middle;
            }
        }
        return low;
    }

    __device__ __forceinline__ Place place(int unit) const
    {
        Place p;
        p.sequence = find(pages, unit);
        const int before = pages[p.sequence];
        p.pages = pages[p.sequence + 1] - before;
        p.headBlock = divide(unit - (before * headBlocks), p.pages);
        p.start = (before * headBlocks) + (p.headBlock * p.pages);
        return p;
    }
};

__device__ __forceinline__ Place place_of(const Table& table, int unit)
{
    return table.place(unit);
}

// Number of the unit's slab; the top bit says that it is its sequence's last page.
__device__ __forceinline__ unsigned slab_of_unit(const Table& table, int unit)
{
    const Place p = table.place(unit);
    const int position = table.positions[p.sequence];
    const int page = first_page(position, table.window) + (unit - p.start);
    const unsigned slab = ((unsigned)table.blockTables[table.starts[p.sequence] + page] * table.kvHeads) + (p.headBlock / HeadBlocks);
    return page == position / SLAB_TOKENS ? slab | LastPage : slab;
}

// Equal runs: CTA c of n takes total / n, the first total % n one more.
struct Runs
{
    int each, more;

    __device__ __forceinline__ Runs(int total, int ctas) : each(divide(total, ctas)), more(total - (each * ctas)) {}

    __device__ __forceinline__ int start(int cta) const { return (cta * each) + min(cta, more); }

    __device__ __forceinline__ int owner(int item) const
    {
        const int large = more * (each + 1);
        return item < large ? divide(item, each + 1) : more + divide(item - large, each);
    }
};

} // namespace

extern "C" __global__ void __launch_bounds__(WARPS * 32, 1) paged_attention_decode(const __grid_constant__ DecodeParams params)
{
    extern __shared__ __align__(128) char shared[];
    const int thread = threadIdx.x, warp = thread >> 5, lane = thread & 31;
    const int cta = blockIdx.x;
    const int sequences = params.sequences;
    const bool own = sequences <= OwnTable;
    const int tableLength = own ? OwnTable : sequences;
    int* const tablePages = (int*)(shared + TableStart) + (own ? warp * OwnTableInts : 0);
    int* const tablePositions = tablePages + tableLength + 1;
    int* const tableStarts = tablePositions + tableLength;
    int* const tableSplits = tableStarts + tableLength;
    __shared__ int warpTotals[2][WARPS];
    __shared__ int carries[2];
    // Warps that have put their part into each staging buffer, and the unit whose Q is fetched next.
    __shared__ int arrived[2];
#if __CUDA_ARCH__ >= 900
    __shared__ int qUnit;
#endif

    if (params.flags & TRIGGER_EARLY)
    {
        dependency_trigger();
    }

    const unsigned barriers = shared_address(shared + BarrierStart);
    const unsigned stagingFull = barriers + (((WARPS * STAGES * 2) + 2) * 8), stagingEmpty = stagingFull + 16;
    if (thread < 2)
    {
        barrier_init(stagingFull + (thread * 8), WARPS * 32);
        barrier_init(stagingEmpty + (thread * 8), 32);
    }
#if __CUDA_ARCH__ >= 900
    const unsigned qBarriers = barriers + (WARPS * STAGES * 2 * 8);
    const unsigned ringBarriers = barriers + (warp * STAGES * 2 * 8);
    if (thread < 2)
    {
        barrier_init(qBarriers + (thread * 8), 1);
    }
    if (lane < STAGES * 2)
    {
        barrier_init(ringBarriers + (lane * 8), 1);
        barrier_init_fence();
    }
    __syncwarp();
#endif

    // Pages, splits and position of a sequence.
    auto sequence_row = [&](int s) { return params.rowStarts ? params.rowStarts[s] : s; };
    auto measure = [&](int s, int& pages, int& splits)
    {
        pages = splits = 0;
        const int row = sequence_row(s);
        if (!params.rowStarts || params.rowStarts[s + 1] - row == 1)
        {
            const int start = params.blockTableStarts[s], position = params.positions[row];
            pages = (position / SLAB_TOKENS) - first_page(position, params.window) + 1;
            splits = splits_of(position, params.window);
            tablePositions[s] = position;
            tableStarts[s] = start;
        }
    };
    auto scan = [&](int& pages, int& splits)
    {
#pragma unroll 1
        for (int offset = 1; offset < 32; offset <<= 1)
        {
            const int p = __shfl_up_sync(~0u, pages, offset), q = FIXED_SPLIT ? __shfl_up_sync(~0u, splits, offset) : 0;
            if (lane >= offset)
            {
                pages += p;
                splits += q;
            }
        }
    };
    if (own)
    {
        int pages = 0, splits = 0;
        if (lane < sequences)
        {
            measure(lane, pages, splits);
        }
        if (sequences > 1)
        {
            scan(pages, splits);
        }
        if (lane < sequences)
        {
            tablePages[lane + 1] = pages;
#if FIXED_SPLIT
            tableSplits[lane + 1] = splits;
#endif
        }
        if (lane == 0)
        {
            tablePages[0] = 0;
#if FIXED_SPLIT
            tableSplits[0] = 0;
#endif
        }
        __syncwarp();
    }
    else
    {
        // Nothing below shares an address with the barriers above; a tool that takes an instruction's address where the instruction does not take place (racecheck, 12.8) needs to see them apart.
        __syncthreads();
        if (thread == 0)
        {
            tablePages[0] = 0;
#if FIXED_SPLIT
            tableSplits[0] = 0;
#endif
        }
        int carryPages = 0, carrySplits = 0;
        for (int base = 0; base < sequences; base += Threads)
        {
            const int s = base + thread;
            int pages = 0, splits = 0;
            if (s < sequences)
            {
                measure(s, pages, splits);
            }
            scan(pages, splits);
            if (lane == 31)
            {
                warpTotals[0][warp] = pages;
                warpTotals[1][warp] = splits;
            }
            __syncthreads();
#pragma unroll 1
            for (int w = 0; w < warp; w++)
            {
                pages += warpTotals[0][w];
                splits += warpTotals[1][w];
            }
            if (s < sequences)
            {
                tablePages[s + 1] = carryPages + pages;
#if FIXED_SPLIT
                tableSplits[s + 1] = carrySplits + splits;
#endif
            }
            if (thread == Threads - 1)
            {
                carries[0] = carryPages + pages;
                carries[1] = carrySplits + splits;
            }
            __syncthreads();
            carryPages = carries[0];
            carrySplits = carries[1];
        }
    }

    Table table;
    table.pages = tablePages;
    table.positions = tablePositions;
    table.starts = tableStarts;
    table.splits = tableSplits;
    table.headBlocks = params.kvHeads * HeadBlocks;
    table.sequences = sequences;
    table.window = params.window;
    table.kvHeads = params.kvHeads;
    table.blockTables = params.blockTables;

    // This CTA's units.
#if FIXED_SPLIT
    const Runs runs(tableSplits[sequences] * table.headBlocks, params.ctas);
    const int firstSplit = runs.start(cta), endSplit = runs.start(cta + 1);
    auto unit_of_split = [&](int split)
    {
        if (split >= tableSplits[sequences] * table.headBlocks)
        {
            return tablePages[sequences] * table.headBlocks;
        }
        const int s = table.find(tableSplits, split);
        const int splits = tableSplits[s + 1] - tableSplits[s], pages = tablePages[s + 1] - tablePages[s];
        const int inside = split - (tableSplits[s] * table.headBlocks);
        const int first = first_page(tablePositions[s], params.window);
        const int page = ((first / FIXED_SPLIT) + (inside % splits)) * FIXED_SPLIT;
        return (tablePages[s] * table.headBlocks) + ((inside / splits) * pages) + max(0, page - first);
    };
    const int firstUnit = unit_of_split(firstSplit), endUnit = unit_of_split(endSplit);
#else
    // As long as each (sequence, head block) can have the same number of CTAs, cuts stay aligned with them; a CTA with less than a unit for each warp is not worth its part
    // of the combination.
    int ctas = params.ctas;
    const int total = tablePages[sequences] * table.headBlocks, segments = sequences * table.headBlocks;
    if (segments <= ctas)
    {
        ctas = segments * max(1, min(divide(ctas, segments), divide(total, segments * LEAST_UNITS)));
    }
    if (cta >= ctas)
    {
        dependency_wait();
        return;
    }
    const Runs runs(total, ctas);
    const int firstUnit = runs.start(cta), endUnit = runs.start(cta + 1);
#endif

    // End of the piece that begins at this unit.
    auto piece_end = [&](const Place& p, int unit)
    {
        int end = min(p.start + p.pages, endUnit);
#if FIXED_SPLIT
        const int first = first_page(tablePositions[p.sequence], params.window);
        const int page = first + (unit - p.start);
        end = min(end, unit + FIXED_SPLIT - (page % FIXED_SPLIT));
#endif
        return end;
    };

    // This warp's units: firstUnit + warp + WARPS * i.
    const int count = max(0, (endUnit - firstUnit - warp + WARPS - 1) / WARPS);
    const char* const ring = shared + (warp * STAGES * 2 * SLAB_BYTES);
    const unsigned ringAddress = shared_address(ring);

    // Slab of the warp's i-th unit.
    auto slab_of = [&](int i) -> unsigned { return i < count ? slab_of_unit(table, firstUnit + warp + (WARPS * i)) : 0; };

    // Entries 32 at a time, one a lane; the next 32 are under way.
    unsigned slabs = slab_of(lane), slabsNext = 0;
    int slabsBase = 0;
    auto next_slab = [&](int i) -> unsigned
    {
        if (i >= slabsBase + 32)
        {
            slabs = slabsNext;
            slabsBase += 32;
            slabsNext = slab_of(slabsBase + 32 + lane);
        }
        return __shfl_sync(~0u, slabs, i & 31);
    };

#if __CUDA_ARCH__ >= 900
    const unsigned long long policy = policy_evict_first();
#endif

    // Copies half a unit into a slot: 0 its keys, 1 its values. Called by the whole warp.
    auto issue = [&](int slot, int half, unsigned slab)
    {
        const char* const from = (half ? params.values : params.keys) + ((long long)(slab & ~LastPage) * SLAB_BYTES);
        const unsigned to = ringAddress + (((slot * 2) + half) * SLAB_BYTES);
#if __CUDA_ARCH__ >= 900
        if (lane == 0)
        {
            const unsigned barrier = ringBarriers + (((slot * 2) + half) * 8);
            barrier_expect(barrier, SLAB_BYTES);
            bulk_copy(to, from, SLAB_BYTES, barrier, policy);
        }
#else
        for (int c = lane * 16; c < SLAB_BYTES; c += 512)
        {
            copy_16(to + c, from + c);
        }
#endif
    };

    // Asks for the slab of a unit further on (or, as control, for the one that is being copied) into L2. Called by the whole warp after issue.
    auto ask = [&](int half, unsigned slab)
    {
#if PREFETCH
        const char* const from = (half ? params.values : params.keys) + ((long long)(slab & ~LastPage) * SLAB_BYTES);
#if __CUDA_ARCH__ >= 900
        if (lane == 0)
        {
            prefetch_l2(from, SLAB_BYTES);
        }
#else
        for (int c = lane * 128; c < SLAB_BYTES; c += 4096)
        {
            prefetch_l2_line(from + c);
        }
#endif
#endif
    };

    // Slab to ask for while unit i is copied.
    auto asked = [&](int i, unsigned current) -> unsigned
    {
#if PREFETCH == 1
        const int further = i + (PREFETCH_DISTANCE * STAGES);
        unsigned a = __shfl_sync(~0u, slabs, further & 31), b = __shfl_sync(~0u, slabsNext, further & 31);
        return further >= count ? current : further < slabsBase + 32 ? a : further < slabsBase + 64 ? b : current;
#else
        return current;
#endif
    };

    // Q of a piece.
    auto q_row = [&](const Place& p)
    {
        const int row = params.rowStarts ? params.rowStarts[p.sequence] : p.sequence;
        const int kvHead = p.headBlock / HeadBlocks, sub = p.headBlock % HeadBlocks;
        return (const char*)params.q + (((row * params.qStride) + ((long long)((kvHead * GROUP) + (sub * BlockHeads)) * HEAD_DIM)) * QBytes);
    };
    auto heads_of = [&](const Place& p) { return min(BlockHeads, GROUP - ((p.headBlock % HeadBlocks) * BlockHeads)); };

#if __CUDA_ARCH__ >= 900
    // Q is fetched two pieces ahead, by one lane.
    auto fetch_q = [&](int piece)
    {
        const int unit = qUnit;
        if (unit >= endUnit)
        {
            return;
        }
        const Place p = place_of(table, unit);
        const char* const from = q_row(p);
        const int heads = heads_of(p);
        const unsigned to = shared_address(shared + QStart) + ((piece & 1) * BlockHeads * QRowBytes), barrier = qBarriers + ((piece & 1) * 8);
        barrier_expect(barrier, heads * HEAD_DIM * QBytes);
#pragma unroll 1
        for (int h = 0; h < heads; h++)
        {
            bulk_copy(to + (h * QRowBytes), from + (h * HEAD_DIM * QBytes), HEAD_DIM * QBytes, barrier);
        }
        qUnit = piece_end(p, unit);
    };
#endif
    if (thread == 0)
    {
        arrived[0] = arrived[1] = 0;
#if __CUDA_ARCH__ >= 900
        qUnit = firstUnit;
#endif
    }

    // First fill. What a kernel before this one may have written, the last pages, comes after the wait.
    unsigned late = 0;
    if (!(params.flags & RINGS_AHEAD))
    {
        dependency_wait();
#if __CUDA_ARCH__ >= 900
        // Before everything else: behind the first 128 KB it would come last.
        if (thread == 0)
        {
            fetch_q(0);
        }
        __syncwarp();
#endif
    }
#pragma unroll 1
    for (int i = 0; i < STAGES; i++)
    {
        if (i < count)
        {
            const unsigned slab = next_slab(i);
            if ((params.flags & RINGS_AHEAD) && (slab & LastPage))
            {
                late |= 1u << i;
#if __CUDA_ARCH__ >= 900
                continue;
#endif
            }
#if __CUDA_ARCH__ >= 900
            issue(i, 0, slab);
            issue(i, 1, slab);
            const unsigned further = asked(i, slab);
            ask(0, further);
            ask(1, further);
#endif
        }
    }
    slabsNext = slab_of(32 + lane);

#if !FIXED_SPLIT
    // What this thread will combine at the end: a piece shared with the CTAs before or the one shared with the CTAs behind; where there are both, half of the threads each.
    // Found out now, while old pages are on their way.
    Place cutPlace = {};
    int cutFrom = 0, cutTo = 0, worker = thread, workers = Threads;
    bool cut = false;
    if (firstUnit < endUnit)
    {
        cutPlace = place_of(table, firstUnit);
        cut = cutPlace.start < firstUnit || cutPlace.start + cutPlace.pages > endUnit;
        if (cutPlace.start + cutPlace.pages < endUnit)
        {
            const Place last = place_of(table, endUnit - 1);
            if (last.start + last.pages > endUnit)
            {
                workers = cut ? Threads / 2 : Threads;
                if (!cut || thread >= workers)
                {
                    cutPlace = last;
                }
                worker = thread & (workers - 1);
                cut = true;
            }
        }
        cutFrom = runs.owner(cutPlace.start);
        cutTo = runs.owner(cutPlace.start + cutPlace.pages - 1);
    }
#endif
    if (params.flags & RINGS_AHEAD)
    {
        dependency_wait();
#if __CUDA_ARCH__ >= 900
        if (thread == 0)
        {
            fetch_q(0);
        }
        __syncwarp();
#endif
    }
#pragma unroll 1
    for (int i = 0; i < STAGES; i++)
    {
#if __CUDA_ARCH__ >= 900
        if (late & (1u << i))
        {
            const unsigned slab = next_slab(i);
            issue(i, 0, slab);
            issue(i, 1, slab);
        }
#else
        // One group for every half, empty ones too: what is waited for is counted in groups.
        for (int half = 0; half < 2; half++)
        {
            if (i < count)
            {
                issue(i, half, next_slab(i));
            }
            copy_commit();
        }
#endif
    }

#if __CUDA_ARCH__ >= 900
    if (thread == 0)
    {
        fetch_q(1);
    }
#endif
    __syncthreads();

    // Addresses of ldmatrix inside a slab: K gives 16 tokens x 16 elements, V the same transposed.
    const int keyToken = lane & 15, keyHalf = lane >> 4;
    const int valueToken = (lane & 7) + ((lane >> 4) << 3), valueHalf = (lane >> 3) & 1;

    int i = 0, piece = 0;
    for (int unit = firstUnit; unit < endUnit; piece++)
    {
        const Place p = place_of(table, unit);
        const int end = piece_end(p, unit);
        const int position = tablePositions[p.sequence], firstPage = first_page(position, params.window), lastPage = position / SLAB_TOKENS;
        const int heads = heads_of(p);
        float scale = params.scale;
        if (params.growthBeta != 0.0f)
        {
            scale *= 1.0f + (params.growthBeta * logf(1.0f + (float)divide(position, params.growthLength)));
        }

        unsigned q[Tiles][2];
        {
#if __CUDA_ARCH__ >= 900
            barrier_wait(qBarriers + ((piece & 1) * 8), (piece >> 1) & 1);
            const char* const row = shared + QStart + ((((piece & 1) * BlockHeads) + (lane >> 2)) * QRowBytes);
#else
            const char* const row = q_row(p) + ((lane >> 2) * HEAD_DIM * QBytes);
#endif
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                q[t][0] = q[t][1] = 0;
                if ((lane >> 2) < heads)
                {
                    load_q_pair(row, (t * 16) + ((lane & 3) * 2), q[t][0]);
                    load_q_pair(row, (t * 16) + ((lane & 3) * 2) + 8, q[t][1]);
                }
            }
        }

        // Heads 2 * (lane & 3) and the one after it.
        float maximum0 = -__int_as_float(0x7f800000), maximum1 = maximum0, sum0 = 0.0f, sum1 = 0.0f;
        float o[Tiles][4];
#pragma unroll
        for (int t = 0; t < Tiles; t++)
        {
            o[t][0] = o[t][1] = o[t][2] = o[t][3] = 0.0f;
        }

        for (; firstUnit + warp + (WARPS * i) < end; i++)
        {
            const int page = firstPage + (firstUnit + warp + (WARPS * i) - p.start);
            const int slot = STAGES == 1 ? 0 : i % STAGES;
            const unsigned keys = ringAddress + (slot * 2 * SLAB_BYTES), values = keys + SLAB_BYTES;

#if __CUDA_ARCH__ >= 900
            const unsigned phase = (i / STAGES) & 1;
            barrier_wait(ringBarriers + (slot * 16), phase);
#else
            copy_wait<(2 * STAGES) - 1>();
            __syncwarp();
#endif
            float even[4] = {0.0f, 0.0f, 0.0f, 0.0f}, odd[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                unsigned a[4];
                load_matrices(keys + slab_chunk_offset(keyToken, (2 * t) + keyHalf), a);
                multiply_add(t & 1 ? odd : even, a, q[t][0], q[t][1]);
            }

            // The warp has read the keys: their half of the slot is free.
            __syncwarp();
            const int coming = i + STAGES;
            unsigned slab = 0, further = 0;
            if (coming < count)
            {
                slab = next_slab(coming);
                further = asked(coming, slab);
                issue(slot, 0, slab);
                ask(0, further);
            }
#if __CUDA_ARCH__ < 900
            copy_commit();
#endif

            float s0 = (even[0] + odd[0]) * scale, s1 = (even[1] + odd[1]) * scale, s2 = (even[2] + odd[2]) * scale, s3 = (even[3] + odd[3]) * scale;
#if SOFT_CAP
            s0 = params.cap * tanhf(s0);
            s1 = params.cap * tanhf(s1);
            s2 = params.cap * tanhf(s2);
            s3 = params.cap * tanhf(s3);
#endif
            const bool partial = page == lastPage || (params.window > 0 && page == firstPage);
            if (partial)
            {
                const int token = (page * SLAB_TOKENS) + (lane >> 2);
                const int from = params.window > 0 ? position - params.window : -1;
                if (token > position || token <= from)
                {
                    s0 = s1 = -__int_as_float(0x7f800000);
                }
                if (token + 8 > position || token + 8 <= from)
                {
                    s2 = s3 = -__int_as_float(0x7f800000);
                }
            }

            const float top0 = fmaxf(s0, s2), top1 = fmaxf(s1, s3);
            if (__any_sync(~0u, top0 > maximum0 || top1 > maximum1))
            {
                float new0 = top0, new1 = top1;
#pragma unroll
                for (int offset = 4; offset < 32; offset <<= 1)
                {
                    new0 = fmaxf(new0, __shfl_xor_sync(~0u, new0, offset));
                    new1 = fmaxf(new1, __shfl_xor_sync(~0u, new1, offset));
                }
                new0 = fmaxf(new0, maximum0);
                new1 = fmaxf(new1, maximum1);
                const float factor0 = exp2_fast(maximum0 - new0), factor1 = exp2_fast(maximum1 - new1);
                maximum0 = new0;
                maximum1 = new1;
                sum0 *= factor0;
                sum1 *= factor1;
#pragma unroll
                for (int t = 0; t < Tiles; t++)
                {
                    o[t][0] *= factor0;
                    o[t][1] *= factor1;
                    o[t][2] *= factor0;
                    o[t][3] *= factor1;
                }
            }

            const float p0 = exp2_fast(s0 - maximum0), p1 = exp2_fast(s1 - maximum1), p2 = exp2_fast(s2 - maximum0), p3 = exp2_fast(s3 - maximum1);
            sum0 += p0 + p2;
            sum1 += p1 + p3;
            const unsigned b0 = transpose_matrix(pack_elements(p0, p1)), b1 = transpose_matrix(pack_elements(p2, p3));

#if __CUDA_ARCH__ >= 900
            barrier_wait(ringBarriers + (slot * 16) + 8, phase);
#else
            copy_wait<(2 * STAGES) - 1>();
            __syncwarp();
#endif
            if (partial)
            {
                // Nothing is known about values of tokens outside: 0 * NaN must not reach the sum.
                const int from = params.window > 0 ? max(0, position - params.window + 1 - (page * SLAB_TOKENS)) : 0, to = position + 1 - (page * SLAB_TOKENS);
                char* const slabValues = (char*)ring + (((slot * 2) + 1) * SLAB_BYTES);
                for (int c = lane; c < SLAB_BYTES / 16; c += 32)
                {
                    const int token = c / SLAB_ROW_CHUNKS;
                    if (token < from || token >= to)
                    {
                        *(uint4*)(slabValues + (c * 16)) = make_uint4(0, 0, 0, 0);
                    }
                }
#if __CUDA_ARCH__ >= 900
                proxy_fence();
#endif
                __syncwarp();
            }
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                unsigned a[4];
                load_matrices_transposed(values + slab_chunk_offset(valueToken, (2 * t) + valueHalf), a);
                multiply_add(o[t], a, b0, b1);
            }

            __syncwarp();
            if (coming < count)
            {
                issue(slot, 1, slab);
                ask(1, further);
            }
#if __CUDA_ARCH__ < 900
            copy_commit();
#endif
        }

        // The warps of the piece, in the order of its pages whatever warp began it.
        const int part = (warp - (unit - firstUnit)) & (WARPS - 1);
        const int buffer = STAGING == 2 ? piece & 1 : 0;
        float* const staging = (float*)(shared + StagingStart + (buffer * StagingBytes));
        float2* const sums = (float2*)(shared + SumsStart + (buffer * SumsBytes));
        // The piece before in this buffer must have left it.
        const int use = STAGING == 2 ? piece >> 1 : piece;
        if (use > 0)
        {
            barrier_wait(stagingEmpty + (buffer * 8), (use - 1) & 1);
        }
#pragma unroll
        for (int offset = 4; offset < 32; offset <<= 1)
        {
            sum0 += __shfl_xor_sync(~0u, sum0, offset);
            sum1 += __shfl_xor_sync(~0u, sum1, offset);
        }
        const int head0 = (lane & 3) * 2;
        float* const mine = staging + (part * BlockHeads * StagingRow) + (lane >> 2);
        if (head0 < BlockHeads)
        {
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                mine[(head0 * StagingRow) + (t * 16)] = o[t][0];
                mine[(head0 * StagingRow) + (t * 16) + 8] = o[t][2];
            }
        }
        if (head0 + 1 < BlockHeads)
        {
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                mine[((head0 + 1) * StagingRow) + (t * 16)] = o[t][1];
                mine[((head0 + 1) * StagingRow) + (t * 16) + 8] = o[t][3];
            }
        }
        if (lane < 4)
        {
            if (head0 < BlockHeads)
            {
                sums[(part * BlockHeads) + head0] = make_float2(maximum0, sum0);
            }
            if (head0 + 1 < BlockHeads)
            {
                sums[(part * BlockHeads) + head0 + 1] = make_float2(maximum1, sum1);
            }
        }

        // At the end of the CTA's work all threads merge; before, the warp that comes last does, and the others go on.
        const bool final = end == endUnit;
        if (final)
        {
            __syncthreads();
        }
        else
        {
            int before = 0;
            barrier_arrive(stagingFull + (buffer * 8));
            __syncwarp();
            if (lane == 0)
            {
                before = atomicAdd(&arrived[buffer], 1);
            }
            before = __shfl_sync(~0u, before, 0);
            if (before != WARPS - 1)
            {
                unit = end;
                continue;
            }
            barrier_wait(stagingFull + (buffer * 8), use & 1);
#if __CUDA_ARCH__ >= 900
            if (lane == 0)
            {
                fetch_q(piece + 2);
            }
            __syncwarp();
#endif
        }

        const bool whole = unit == p.start && end == p.start + p.pages;
        const int row = params.rowStarts ? params.rowStarts[p.sequence] : p.sequence;
        const int firstHead = ((p.headBlock / HeadBlocks) * GROUP) + ((p.headBlock % HeadBlocks) * BlockHeads);
        long long slotIndex = 0;
        if (!whole)
        {
#if FIXED_SPLIT
            const int splits = tableSplits[p.sequence + 1] - tableSplits[p.sequence];
            slotIndex = ((long long)tableSplits[p.sequence] * table.headBlocks) + ((long long)p.headBlock * splits)
                + (((firstPage + (unit - p.start)) / FIXED_SPLIT) - (firstPage / FIXED_SPLIT));
#else
            slotIndex = (2 * cta) + (unit == p.start ? 1 : 0);
#endif
        }
#pragma unroll 1
        for (int record = final ? thread : lane; record < heads * Quads; record += final ? Threads : 32)
        {
            const int head = record / Quads, quad = record % Quads;
            float2 ms[WARPS];
            float top = -__int_as_float(0x7f800000);
#pragma unroll
            for (int w = 0; w < WARPS; w++)
            {
                ms[w] = sums[(w * BlockHeads) + head];
                top = fmaxf(top, ms[w].x);
            }
            float4 total = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            float sum = 0.0f;
#pragma unroll
            for (int w = 0; w < WARPS; w++)
            {
                const float factor = exp2_fast(ms[w].x - top);
                const float4 v = *(const float4*)(staging + (((w * BlockHeads) + head) * StagingRow) + (quad * 4));
                sum += factor * ms[w].y;
                total.x += factor * v.x;
                total.y += factor * v.y;
                total.z += factor * v.z;
                total.w += factor * v.w;
            }
            if (whole)
            {
                finish(params, row, firstHead + head, quad, top, sum, total);
            }
            else
            {
                unsigned* const to = params.records + (((slotIndex * Records) + record) * 8);
                asm volatile("st.relaxed.gpu.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(filled(total.x)), "r"(filled(total.y)), "r"(filled(total.z)), "r"(filled(total.w)) : "memory");
                asm volatile("st.relaxed.gpu.global.v2.b32 [%0], {%1, %2};" ::"l"(to + 4), "r"(filled(top)), "r"(filled(sum)) : "memory");
            }
        }
        if (!final)
        {
            __syncwarp();
            if (lane == 0)
            {
                arrived[buffer] = 0;
            }
            barrier_arrive(stagingEmpty + (buffer * 8));
        }
        unit = end;
    }

    // Pieces that other CTAs hold parts of: every CTA of such a (sequence, head block) reduces its share of the records.
    // Reduction of a record by 2 to 16 lanes, as many as there are parts.
    auto combine = [&](const Place& p, int firstCta, int lastCta, int parts, long long slotBase, int worker, int workers)
    {
        const int shift = parts <= 2 ? 1 : parts <= 4 ? 2 : parts <= 8 ? 3 : 4, lanes = 1 << shift;
        const int sharers = lastCta - firstCta + 1;
        const int heads = heads_of(p), records = heads * Quads;
        const int from = divide(records * (cta - firstCta), sharers), to = divide(records * (cta - firstCta + 1), sharers);
        const int row = params.rowStarts ? params.rowStarts[p.sequence] : p.sequence;
        const int firstHead = ((p.headBlock / HeadBlocks) * GROUP) + ((p.headBlock % HeadBlocks) * BlockHeads);
#pragma unroll 1
        for (int base = from; base < to; base += workers >> shift)
        {
            const int record = base + (worker >> shift);
            float top = -__int_as_float(0x7f800000), sum = 0.0f;
            float4 total = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (record < to)
            {
#pragma unroll 1
                for (int k = worker & (lanes - 1); k < parts; k += lanes)
                {
#if FIXED_SPLIT
                    const long long slotIndex = slotBase + k;
#else
                    const long long slotIndex = k == 0 ? (2 * firstCta) + 1 : 2 * (firstCta + k);
#endif
                    unsigned* const at = params.records + (((slotIndex * Records) + record) * 8);
                    unsigned w0, w1, w2, w3, w4, w5;
                    do
                    {
                        asm volatile("ld.relaxed.gpu.global.v4.b32 {%0, %1, %2, %3}, [%4];" : "=r"(w0), "=r"(w1), "=r"(w2), "=r"(w3) : "l"(at) : "memory");
                        asm volatile("ld.relaxed.gpu.global.v2.b32 {%0, %1}, [%2];" : "=r"(w4), "=r"(w5) : "l"(at + 4) : "memory");
                    }
                    while (w0 == Empty || w1 == Empty || w2 == Empty || w3 == Empty || w4 == Empty || w5 == Empty);
                    asm volatile("st.relaxed.gpu.global.v4.b32 [%0], {%1, %1, %1, %1};" ::"l"(at), "r"(Empty) : "memory");
                    asm volatile("st.relaxed.gpu.global.v2.b32 [%0], {%1, %1};" ::"l"(at + 4), "r"(Empty) : "memory");
                    const float m = __uint_as_float(w4);
                    const float next = fmaxf(top, m), mine = exp2_fast(top - next), theirs = exp2_fast(m - next);
                    top = next;
                    sum = (sum * mine) + (__uint_as_float(w5) * theirs);
                    total.x = (total.x * mine) + (__uint_as_float(w0) * theirs);
                    total.y = (total.y * mine) + (__uint_as_float(w1) * theirs);
                    total.z = (total.z * mine) + (__uint_as_float(w2) * theirs);
                    total.w = (total.w * mine) + (__uint_as_float(w3) * theirs);
                }
            }
            float all = top;
#pragma unroll 1
            for (int offset = 1; offset < lanes; offset <<= 1)
            {
                all = fmaxf(all, __shfl_xor_sync(~0u, all, offset));
            }
            const float factor = top == all ? 1.0f : exp2_fast(top - all);
            sum *= factor;
            total.x *= factor;
            total.y *= factor;
            total.z *= factor;
            total.w *= factor;
#pragma unroll 1
            for (int offset = 1; offset < lanes; offset <<= 1)
            {
                sum += __shfl_xor_sync(~0u, sum, offset);
                total.x += __shfl_xor_sync(~0u, total.x, offset);
                total.y += __shfl_xor_sync(~0u, total.y, offset);
                total.z += __shfl_xor_sync(~0u, total.z, offset);
                total.w += __shfl_xor_sync(~0u, total.w, offset);
            }
            if (record < to && (worker & (lanes - 1)) == 0)
            {
                finish(params, row, firstHead + (record / Quads), record % Quads, all, sum, total);
            }
        }
    };

    if (firstUnit < endUnit)
    {
#if FIXED_SPLIT
        for (int unit = firstUnit; unit < endUnit;)
        {
            const Place p = table.place(unit);
            const int splits = tableSplits[p.sequence + 1] - tableSplits[p.sequence];
            const int base = (tableSplits[p.sequence] * table.headBlocks) + (p.headBlock * splits);
            if (splits > 1)
            {
                combine(p, runs.owner(base), runs.owner(base + splits - 1), splits, base, thread, Threads);
            }
            unit = p.start + p.pages;
        }
#else
        if (cut)
        {
            combine(cutPlace, cutFrom, cutTo, cutTo - cutFrom + 1, 0, worker, workers);
        }
#endif
    }

    if (!(params.flags & TRIGGER_EARLY))
    {
        dependency_trigger();
    }
}
