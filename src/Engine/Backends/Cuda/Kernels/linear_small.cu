// Products of up to 8 rows with matrices of one 16-bit type, at the speed of memory, with what stands before and behind them folded in. Activations are rounded to the weights' type.
//
//   y[r] = factor[r] * ((x[r] * gain) * W^T) + bias, factor[r] = 1 / sqrt(mean(x[r]^2) + epsilon) (NORM), else gain and factor are 1
//   MODE 0 store   output[r] = y[r], the matrices (up to 8) side by side
//        1 add     output[r] += y[r] * scale
//        2 gated   output[r] = activation(y[r] of matrix 0) * y[r] of matrix 1, in the weights' type
//        3 rotate  y = heads of q, k, v: pairs of q and k turned, q to output, k and v (16-bit, KV) into the row's page; row r is sequence r
//
// Shapes   x [rows, inputs], W [outputs, inputs] row-major (inputs a multiple of 8, rows of W at 16-byte addresses); x float32, or of the weights' type (X16).
// Grid     one CTA for each multiprocessor; block 8 warps.
// Work     A tile is 8 rows of W (gated: 4 of either matrix; rotate: 4 elements of a head and the 4 they turn with). Each CTA takes an equal run of tiles, GROUP at a time. The inputs
//          are cut into chunks of CHUNK; SPLIT warps share them (warp w the chunks w % SPLIT + i * SPLIT), and 8 / SPLIT such teams share the tiles of a group. Weights come through each warp's own ring of STAGES slots, of which AHEAD are filled before dependency_wait, at most CLOCK of them on
//          their way at once: weights do not wait for activations. m16n8k16: the 16 rows of A are the tile for two halves of the inputs; for up to 4 rows (ROWS = 4) the columns of B are 4
//          rows for each half, so that one product takes 32 inputs; for up to 8 (ROWS = 8) two products share an A. So that 16-byte reads are free of conflicts, the lanes of odd rows read
//          the halves of each 128 bytes in the other order (CHUNK is a multiple of 64): in odd rows of A the halves have changed places. Float32 accumulators; the warps' sums meet in shared
//          memory, one barrier for each group, in the order of the warps.
// Bytes    W once; x once for each CTA out of L2 (X16: once for each group).
// Defines  ROWS (4, 8), ONE (1: a single row), KIND (of the activation; gated alone), STAGES, AHEAD (at most STAGES), CLOCK, CHUNK, SPLIT (8, 4, 2, 1), MODE, NORM, X16, KV (type of the pages; rotate alone), ELEMENT_F16. sm_90 and later.
#include "product.cuh"
#include "activation.cuh"
#include "async.cuh"
#include "kv_order.cuh"
#include "mma.cuh"

#define STORE 0
#define ADD 1
#define GATED 2
#define ROTATE 3

using kv_t = stored<KV>::type;

struct Params {
  RowsView x;
  RowsView output;
  const float* gain;
  RowsView rotary;   // [rows, half | half]: cosines, sines
  kv_t* keys;
  kv_t* values;
  const int* positions;
  const int* table_starts;
  const int* tables;
  Target targets[MAX_TARGETS];
  int target_count;
  int inputs;
  int outputs;       // of all matrices
  int rows;
  Activation activation;
  float epsilon;
  float scale;
  int heads;
  int kv_heads;
  int head_dim;
  int half;
  int neighbours;    // 1: element 2i turns with 2i + 1; 0: i with i + half
  int page_size;
  unsigned head_reciprocal;  // 2^32 / (head_dim / 8), rounded up
  int tiles_each;    // of a CTA; the first `tiles_more` CTAs have one more
  int tiles_more;
  int chunks;        // of the inputs
};
CHECK_PARAMS(Params);

namespace {

constexpr int Warps = THREADS / 32;
constexpr int RowBytes = CHUNK * 2;
constexpr int SlotBytes = 8 * RowBytes;
constexpr int Group = 4;
constexpr int Teams = Warps / SPLIT;
// Activations out of L2 for many rows are worth reading once for all tiles of a group; else tile after tile is less code, all of which has to be fetched anew by every launch.
constexpr bool TileMajor = !(X16 && ROWS == 8);
// Tiles of a group that a warp has at most, and those that it makes side by side.
constexpr int TeamTiles = (Group + Teams - 1) / Teams;
constexpr int Tiles = TileMajor ? 1 : TeamTiles;
constexpr int LoadRows = ONE ? 1 : ROWS;
constexpr int Steps = CHUNK / 64;
// Results that belong to a row of partial sums: two rows of the tile make one result where they are pairs.
constexpr bool Pairs = MODE >= GATED;
constexpr int Lines = Pairs ? 4 : 8;
constexpr int PartialFloats = Group * SPLIT * 8 * ROWS;
constexpr int PartialStart = Warps * STAGES * SlotBytes;
constexpr int SquaresStart = PartialStart + (2 * PartialFloats * 4);
constexpr int PlacesStart = SquaresStart + (Warps * ROWS * 4);
constexpr int BarrierStart = PlacesStart + (ROWS * 16);
constexpr int XStart = BarrierStart + (((Warps * STAGES * 8) + 127) / 128 * 128);

static_assert(CHUNK % 64 == 0 && Warps == 8 && Warps % SPLIT == 0 && AHEAD <= STAGES && Group * Lines * ROWS <= THREADS, "the shape of the work");

// What a row of a tile is: an output of a matrix.
struct Line
{
    int target;
    int output;
    bool valid;
};

// Head of a tile of MODE 3.
__device__ __forceinline__ int head_of(const Params& p, int tile) { return (int)__umulhi((unsigned)tile, p.head_reciprocal); }

// Element of a head that a line of the head's j-th tile holds.
__device__ __forceinline__ int element_of(const Params& p, bool turned, int j, int line)
{
    return turned && !p.neighbours ? (4 * j) + (line & 3) + ((line >> 2) * p.half) : (8 * j) + line;
}

__device__ __forceinline__ Line line_of(const Params& p, int tile, int line)
{
    if constexpr (MODE == GATED)
    {
        const int output = (tile * 4) + (line & 3);
        return {line >> 2, output, output < p.targets[0].outputs};
    }
    if constexpr (MODE == ROTATE)
    {
        const int head = head_of(p, tile), j = tile - (head * (p.head_dim / 8));
        const bool turned = head < p.heads + p.kv_heads && 4 * j < p.half;
        const int output = (head * p.head_dim) + element_of(p, turned, j, line);
        int t = 0;
        while (t + 1 < p.target_count && output >= p.targets[t + 1].first)
        {
            t++;
        }
        return {t, output - p.targets[t].first, true};
    }
    int t = 0, before = 0;
    while (t + 1 < p.target_count && tile >= before + ((p.targets[t].outputs + 7) / 8))
    {
        before += (p.targets[t].outputs + 7) / 8;
        t++;
    }
    const int output = ((tile - before) * 8) + line;
    return {t, output, output < p.targets[t].outputs};
}

// The warp's units in their order: group, tile, chunk, or group, chunk, tile.
struct Unit
{
    int base, chunk, tile, end, chunks;

    __device__ __forceinline__ Unit(int first, int end, int chunks, int warp) : base(first), chunk(warp % SPLIT), tile(warp / SPLIT), end(end), chunks(chunks) {}

    __device__ __forceinline__ bool some() const { return tile < Group && base + tile < end && chunk < chunks; }

    __device__ __forceinline__ bool next_chunk(int warp)
    {
        chunk += SPLIT;
        const bool over = chunk >= chunks;
        chunk = over ? warp % SPLIT : chunk;
        return over;
    }

    __device__ __forceinline__ bool next_tile(int warp)
    {
        tile += Teams;
        const bool over = tile >= Group || base + tile >= end;
        tile = over ? warp / SPLIT : tile;
        return over;
    }

    __device__ __forceinline__ void next(int warp)
    {
        if (TileMajor ? next_chunk(warp) && next_tile(warp) : next_tile(warp) && next_chunk(warp))
        {
            base += Group;
        }
    }
};

// Activations of one chunk as operands: for each 64 inputs 4 words, with 8 rows 8.
struct Operands
{
    uint4 a[Steps];
#if ROWS == 8
    uint4 b[Steps];
#endif
};

} // namespace

extern "C" __global__ void __launch_bounds__(THREADS, 1) linear_small(const __grid_constant__ Params p)
{
#if __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) char shared[];
    const int thread = threadIdx.x, warp = thread >> 5, lane = thread & 31;
    dependency_trigger();

    const unsigned ring = shared_address(shared) + (warp * STAGES * SlotBytes);
    const unsigned barriers = shared_address(shared + BarrierStart) + (warp * STAGES * 8);
    if (lane < STAGES)
    {
        barrier_init(barriers + (lane * 8), 1);
        barrier_init_fence();
    }
    const int chunks = p.chunks;
    if (p.inputs != chunks * CHUNK)
    {
        // The end of a short chunk is never written: what stands there meets zeros of x and must not be NaN.
        for (int i = lane * 16; i < STAGES * SlotBytes; i += 512)
        {
            *(uint4*)(shared + (warp * STAGES * SlotBytes) + i) = make_uint4(0, 0, 0, 0);
        }
        proxy_fence();
    }
    __syncwarp();

    const int cta = blockIdx.x;
    const int first = (cta * p.tiles_each) + min(cta, p.tiles_more), end = first + p.tiles_each + (cta < p.tiles_more ? 1 : 0);
    const unsigned long long policy = policy_evict_first();
    Unit ahead(first, end, chunks, warp);
    auto issue = [&](int slot)
    {
        const int bytes = min(CHUNK, p.inputs - (ahead.chunk * CHUNK)) * 2;
        const Line line = line_of(p, ahead.base + ahead.tile, lane & 7);
        const unsigned valid = __ballot_sync(~0u, line.valid) & 0xff;
        if (lane == 0)
        {
            barrier_expect(barriers + (slot * 8), __popc(valid) * bytes);
        }
        __syncwarp();
        if (lane < 8 && line.valid)
        {
            const char* const from = (const char*)p.targets[line.target].weights + ((((long long)line.output * p.inputs) + (ahead.chunk * CHUNK)) * 2);
            bulk_copy(ring + (slot * SlotBytes) + (lane * RowBytes), from, bytes, barriers + (slot * 8), policy);
        }
        ahead.next(warp);
    };
#pragma unroll 1
    for (int i = 0; i < AHEAD && ahead.some(); i++)
    {
        if (CLOCK > 0 && i >= CLOCK)
        {
            barrier_wait(barriers + ((i - CLOCK) * 8), 0);
        }
        issue(i);
    }

    // The thread's result of each group: what it is, and what it is added to or turned by.
    const int itemTile = thread / (Lines * ROWS), itemLine = (thread / ROWS) % Lines, itemRow = thread % ROWS;
    const int lineA = MODE == ROTATE && p.neighbours ? 2 * itemLine : itemLine, lineB = MODE == ROTATE && p.neighbours ? (2 * itemLine) + 1 : itemLine + 4;
    Line line = {0, 0, false};
    float bias = 0.0f, second = 0.0f;
    auto prepare = [&](int base)
    {
        line.valid = false;
        if (itemTile < min(Group, end - base) && itemRow < p.rows)
        {
            line = line_of(p, base + itemTile, lineA);
            if (line.valid && p.targets[line.target].bias)
            {
                bias = p.targets[line.target].bias[line.output];
                if constexpr (Pairs)
                {
                    const Line other = line_of(p, base + itemTile, lineB);
                    second = p.targets[other.target].bias[other.output];
                }
            }
        }
    };
    prepare(first);

    // What a step's integers say is there before the step begins.
#if MODE == ROTATE
    int4* const places = (int4*)(shared + PlacesStart);
    if (thread < p.rows)
    {
        const int position = p.positions[thread];
        places[thread] = make_int4(p.tables[p.table_starts[thread] + (position / p.page_size)], position % p.page_size, position, 0);
    }
#endif
#if NORM
    if (thread * 32 < p.inputs)
    {
        asm volatile("prefetch.global.L2 [%0];" ::"l"(p.gain + (thread * 32)));
    }
#endif
    dependency_wait();

    const int g = lane >> 2, q = lane & 3;
    const int row = ROWS == 4 ? g & 3 : g;
    const bool mine = row < p.rows;
#if X16
    const unsigned short* const xLane = (const unsigned short*)p.x.data + ((mine ? row : 0) * p.x.stride) + (q * 8) + (ROWS == 4 ? (g >> 2) * 32 : 0);
#else
    // Activations, in the weights' type, by the warps that share them; rows stand 64 bytes off a multiple of 128 apart.
    const int xRowBytes = (chunks * CHUNK * 2) + 64;
    char* const xs = shared + XStart;
    float squares[LoadRows] = {};
    {
        // Slices of 128 inputs; several are under way at once.
        constexpr int Under = ONE ? 4 : 2;
        const int slices = ((chunks - (warp % SPLIT) + SPLIT - 1) / SPLIT) * (CHUNK / 64);
        auto place = [&](int s)
        {
            // Half slices, so that any CHUNK is a whole number of them: 16 lanes each.
            const int h = (2 * s) + (lane >> 4);
            return h < slices ? (((warp % SPLIT) + ((h / (CHUNK / 64)) * SPLIT)) * CHUNK) + ((h % (CHUNK / 64)) * 64) + ((lane & 15) * 4) : 1 << 30;
        };
        for (int s = warp / SPLIT; 2 * s < slices; s += Teams * Under)
        {
            float4 v[Under][LoadRows], gain[Under];
#pragma unroll
            for (int j = 0; j < Under; j++)
            {
                const int k = place(s + (j * Teams));
                gain[j] = make_float4(1.0f, 1.0f, 1.0f, 1.0f);
#if NORM
                if (k < p.inputs)
                {
                    gain[j] = *(const float4*)(p.gain + k);
                }
#endif
#pragma unroll
                for (int r = 0; r < LoadRows; r++)
                {
                    v[j][r] = k < p.inputs && r < p.rows ? *(const float4*)(row_of(p.x, r) + k) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
                }
            }
#pragma unroll
            for (int j = 0; j < Under; j++)
            {
                const int k = place(s + (j * Teams));
#pragma unroll
                for (int r = 0; r < LoadRows; r++)
                {
                    const float4 u = v[j][r];
#if NORM
                    squares[r] = fmaf(u.x, u.x, fmaf(u.y, u.y, fmaf(u.z, u.z, fmaf(u.w, u.w, squares[r]))));
#endif
                    if (k < chunks * CHUNK && r < p.rows)
                    {
                        *(uint2*)(xs + (r * xRowBytes) + (k * 2)) = make_uint2(pack_elements(u.x * gain[j].x, u.y * gain[j].y), pack_elements(u.z * gain[j].z, u.w * gain[j].w));
                    }
                }
            }
        }
    }
    if constexpr (Teams == 1)
    {
        __syncwarp();
    }
    else
    {
        asm volatile("bar.sync %0, %1;" ::"r"(1 + (warp % SPLIT)), "n"(Teams * 32) : "memory");
    }
    const char* const xLane = xs + ((mine ? row : 0) * xRowBytes) + (q * 16) + (ROWS == 4 ? (g >> 2) * 64 : 0);
#endif
#pragma unroll 1
    for (int i = AHEAD; i < STAGES && ahead.some(); i++)
    {
        issue(i);
    }

    auto operands = [&](int chunk, Operands& x)
    {
#pragma unroll
        for (int k = 0; k < Steps; k++)
        {
            const uint4 none = make_uint4(0, 0, 0, 0);
#if X16
            const int at = (chunk * CHUNK) + (k * 64);
            const int mineFrom = at + (q * 8) + (ROWS == 4 ? (g >> 2) * 32 : 0);
            x.a[k] = mine && mineFrom < p.inputs ? *(const uint4*)(xLane + at) : none;
#if ROWS == 8
            x.b[k] = mine && mineFrom + 32 < p.inputs ? *(const uint4*)(xLane + at + 32) : none;
#endif
#else
            const char* const at = xLane + (chunk * CHUNK * 2) + (k * 128);
            x.a[k] = mine ? *(const uint4*)at : none;
#if ROWS == 8
            x.b[k] = mine ? *(const uint4*)(at + 64) : none;
#endif
#endif
        }
    };

    const char* const wLane = shared + (warp * STAGES * SlotBytes) + (g * RowBytes) + (q * 16) + ((g & 1) * 64);
    const int wOther = 64 - ((g & 1) * 128);
    int slot = 0, phase = 0, group = 0;
    for (int base = first; base < end; base += Group, group++)
    {
        const int last = min(end, base + Group);
        float* const partial = (float*)(shared + PartialStart) + ((group & 1) * PartialFloats);

        // Fetched while weights arrive.
        float before = 0.0f, sine = 0.0f;
        if (line.valid)
        {
#if MODE == ADD
            before = row_of(p.output, itemRow)[p.targets[line.target].first + line.output];
#elif MODE == ROTATE
            const int head = head_of(p, base + itemTile), pair = (4 * (base + itemTile - (head * (p.head_dim / 8)))) + itemLine;
            if (head < p.heads + p.kv_heads && pair < p.half)
            {
                before = row_of(p.rotary, itemRow)[pair];
                sine = row_of(p.rotary, itemRow)[p.half + pair];
            }
#endif
        }

#pragma unroll 1
        for (int first_tile = warp / SPLIT; first_tile < (TileMajor ? last - base : (warp / SPLIT) + 1); first_tile += Teams)
        {
            float even[Tiles][4] = {}, odd[Tiles][4] = {};
#if ROWS == 8
            float even1[Tiles][4] = {}, odd1[Tiles][4] = {};
#endif
#pragma unroll 1
            for (int chunk = warp % SPLIT; chunk < chunks; chunk += SPLIT)
            {
                Operands x;
                operands(chunk, x);
#pragma unroll
                for (int t = 0; t < Tiles; t++)
                {
                    if (TileMajor || base + first_tile + (t * Teams) < last)
                    {
                        barrier_wait(barriers + (slot * 8), phase);
                        const char* const w = wLane + (slot * SlotBytes);
#pragma unroll
                        for (int k = 0; k < Steps; k++)
                        {
                            const uint4 wa = *(const uint4*)(w + (k * 128)), wb = *(const uint4*)(w + (k * 128) + wOther);
                            const unsigned a0[4] = {wa.x, wb.x, wa.y, wb.y}, a1[4] = {wa.z, wb.z, wa.w, wb.w};
                            multiply_add(even[t], a0, x.a[k].x, x.a[k].y);
                            multiply_add(odd[t], a1, x.a[k].z, x.a[k].w);
#if ROWS == 8
                            multiply_add(even1[t], a0, x.b[k].x, x.b[k].y);
                            multiply_add(odd1[t], a1, x.b[k].z, x.b[k].w);
#endif
                        }
                        __syncwarp();
                        if (ahead.some())
                        {
                            issue(slot);
                        }
                        slot++;
                        if (slot == STAGES)
                        {
                            slot = 0;
                            phase ^= 1;
                        }
                    }
                }
            }

            // Rows 0-7 of the product hold one half of the inputs, 8-15 the other: the first half first in even rows.
            const bool odd_row = g & 1;
#pragma unroll
            for (int t = 0; t < Tiles; t++)
            {
                const int tile = first_tile + (t * Teams);
                if (tile < Group)
                {
                    float* const to = partial + (((((tile * SPLIT) + (warp % SPLIT)) * 8) + g) * ROWS);
                    const float low0 = even[t][0] + odd[t][0], low1 = even[t][1] + odd[t][1], high0 = even[t][2] + odd[t][2], high1 = even[t][3] + odd[t][3];
#if ROWS == 4
                    const float other0 = __shfl_xor_sync(~0u, odd_row ? low0 : high0, 2), other1 = __shfl_xor_sync(~0u, odd_row ? low1 : high1, 2);
                    if (q < 2)
                    {
                        *(float2*)(to + (2 * q)) = make_float2((odd_row ? high0 : low0) + other0, (odd_row ? high1 : low1) + other1);
                    }
#else
                    const float second0 = odd_row ? even1[t][0] + odd1[t][0] : even1[t][2] + odd1[t][2], second1 = odd_row ? even1[t][1] + odd1[t][1] : even1[t][3] + odd1[t][3];
                    *(float2*)(to + (2 * q)) = make_float2((odd_row ? high0 : low0) + second0, (odd_row ? high1 : low1) + second1);
#endif
                }
            }
        }
#if NORM
        float* const shares = (float*)(shared + SquaresStart);
        if (group == 0)
        {
#pragma unroll
            for (int r = 0; r < LoadRows; r++)
            {
                const float sum = warp_sum(squares[r]);
                if (lane == 0)
                {
                    shares[(warp * ROWS) + r] = sum;
                }
            }
        }
#endif
        __syncthreads();
        if (line.valid)
        {
            auto sum_of = [&](int l)
            {
                float sum = 0.0f;
#pragma unroll
                for (int w = 0; w < SPLIT; w++)
                {
                    sum += partial[(((((itemTile * SPLIT) + w) * 8) + l) * ROWS) + itemRow];
                }
                return sum;
            };
            float factor = 1.0f;
#if NORM
            float square = 0.0f;
#pragma unroll
            for (int w = 0; w < Warps; w++)
            {
                square += shares[(w * ROWS) + itemRow];
            }
            factor = rsqrtf((square / p.inputs) + p.epsilon);
#endif
#if MODE == STORE
            row_of(p.output, itemRow)[p.targets[line.target].first + line.output] = fmaf(sum_of(itemLine), factor, bias);
#elif MODE == ADD
            row_of(p.output, itemRow)[p.targets[line.target].first + line.output] = fmaf(fmaf(sum_of(itemLine), factor, bias), p.scale, before);
#elif MODE == GATED
            Activation activation = p.activation;
            activation.kind = KIND;
            const float gate = fmaf(sum_of(itemLine), factor, bias), up = fmaf(sum_of(itemLine + 4), factor, second);
            ((unsigned short*)p.output.data)[(itemRow * p.output.stride) + line.output] = (unsigned short)pack_elements(activate(activation, gate) * gated_up(activation, up), 0.0f);
#else
            const int tile = base + itemTile, head = head_of(p, tile), j = tile - (head * (p.head_dim / 8));
            const bool turned = head < p.heads + p.kv_heads && 4 * j < p.half;
            const int a = element_of(p, turned, j, lineA), b = element_of(p, turned, j, lineB);
            float y = fmaf(sum_of(lineA), factor, bias), z = fmaf(sum_of(lineB), factor, second);
            if (turned)
            {
                const float u = y;
                y = (u * before) - (z * sine);
                z = (z * before) + (u * sine);
            }
            if (head < p.heads)
            {
                float* const to = row_of(p.output, itemRow) + ((long long)head * p.head_dim);
                to[a] = y;
                to[b] = z;
            }
            else
            {
                const int4 at = places[itemRow];
                const bool key = head < p.heads + p.kv_heads;
                const int kvHead = head - p.heads - (key ? 0 : p.kv_heads);
                kv_t* const to = (key ? p.keys : p.values) + (((((long long)at.x * p.kv_heads) + kvHead) * p.page_size + at.y) * p.head_dim);
                to[kv_place(at.z, a, p.head_dim)] = from_float<kv_t>(y);
                to[kv_place(at.z, b, p.head_dim)] = from_float<kv_t>(z);
            }
#endif
        }
        if (base + Group < end)
        {
            prepare(base + Group);
        }
    }
#endif
}
