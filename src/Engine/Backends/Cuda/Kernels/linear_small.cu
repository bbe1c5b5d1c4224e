// output[r] = x[r] * W^T + bias for up to 8 rows and up to 8 matrices of one 16-bit type, side by side; activations are rounded to that type.
//
// Shapes   x [rows, inputs], W [outputs, inputs] row-major (inputs a multiple of 8, rows of W at 16-byte addresses), output [rows, outputs]; x and output float32.
// Grid     one CTA for each multiprocessor; block 8 warps.
// Work     A tile is 8 outputs, a unit a tile's CHUNK inputs. Each CTA takes an equal run of tiles, warp w every 8th unit, through its own ring of STAGES slots that is
//          filled before dependency_wait: weights do not wait for activations. m16n8k16: the 16 rows of A are the 8 outputs for two halves of the inputs; for up to
//          4 rows (ROWS = 4) the columns of B are 4 rows for each half, so that one product takes 32 inputs; for up to 8 (ROWS = 8) two products share an A.
//          Rows of a slot stand CHUNK * 2 + 64 bytes apart, so that 16-byte reads are free of conflicts. Float32 accumulators; the warps' sums meet in shared memory,
//          one barrier for each GROUP tiles, in the order of the warps.
// Bytes    W once; x once for each CTA, out of L2.
// Defines  ROWS (4, 8), ONE (1: a single row), STAGES, ELEMENT_F16. sm_90 and later.
#include "product.cuh"
#include "async.cuh"
#include "mma.cuh"

struct Params {
  RowsView x;
  RowsView output;
  Target targets[MAX_TARGETS];
  int target_count;
  int inputs;
  int outputs;
  int rows;
};
CHECK_PARAMS(Params);

namespace {

constexpr int Warps = THREADS / 32;
constexpr int Chunk = 512;
constexpr int RowBytes = (Chunk * 2) + 64;
constexpr int SlotBytes = 8 * RowBytes;
constexpr int Group = 4;
constexpr int RingBytes = Warps * STAGES * SlotBytes;
constexpr int PartialFloats = Group * Warps * 8 * ROWS;
constexpr int PartialStart = RingBytes;
constexpr int BarrierStart = PartialStart + (2 * PartialFloats * 4);
constexpr int XStart = BarrierStart + (((Warps * STAGES * 8) + 127) / 128 * 128);

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
    const int chunks = (p.inputs + Chunk - 1) / Chunk;
    if (p.inputs % Chunk != 0)
    {
        // The end of a short chunk is never written: what stands there meets zeros of x and must not be NaN.
        for (int i = lane * 16; i < STAGES * SlotBytes; i += 512)
        {
            *(uint4*)(shared + (warp * STAGES * SlotBytes) + i) = make_uint4(0, 0, 0, 0);
        }
        proxy_fence();
    }
    __syncwarp();

    int tiles = 0;
    for (int t = 0; t < p.target_count; t++)
    {
        tiles += (p.targets[t].outputs + 7) / 8;
    }
    const int first = (int)((long long)tiles * blockIdx.x / gridDim.x), end = (int)((long long)tiles * (blockIdx.x + 1) / gridDim.x);
    const int count = max(0, (((end - first) * chunks) - warp + Warps - 1) / Warps);

    // Target of a tile, and its first output there.
    auto locate = [&](int tile, int& output)
    {
        int t = 0, before = 0;
        while (t + 1 < p.target_count && tile >= before + ((p.targets[t].outputs + 7) / 8))
        {
            before += (p.targets[t].outputs + 7) / 8;
            t++;
        }
        output = (tile - before) * 8;
        return t;
    };

    const unsigned long long policy = policy_evict_first();
    int nextTile = first + (warp / chunks), nextChunk = warp % chunks;
    auto issue = [&](int slot)
    {
        int output;
        const int t = locate(nextTile, output);
        const int valid = min(8, p.targets[t].outputs - output), bytes = min(Chunk, p.inputs - (nextChunk * Chunk)) * 2;
        if (lane == 0)
        {
            barrier_expect(barriers + (slot * 8), valid * bytes);
        }
        __syncwarp();
        if (lane < valid)
        {
            const char* const from = (const char*)p.targets[t].weights + ((((long long)(output + lane) * p.inputs) + (nextChunk * Chunk)) * 2);
            bulk_copy(ring + (slot * SlotBytes) + (lane * RowBytes), from, bytes, barriers + (slot * 8), policy);
        }
        nextChunk += Warps;
        while (nextChunk >= chunks)
        {
            nextChunk -= chunks;
            nextTile++;
        }
    };
#pragma unroll 1
    for (int i = 0; i < min(STAGES, count); i++)
    {
        issue(i);
    }

    // Activations, in the weights' type; rows stand 64 bytes off a multiple of 128 apart.
    dependency_wait();
    const int xRowBytes = (chunks * Chunk * 2) + 64;
    char* const xs = shared + XStart;
    // Several loads of a thread are under way at once: of all rows, or of one row's next places.
    constexpr int LoadRows = ONE ? 1 : ROWS, LoadPlaces = ONE ? 8 : 8 / ROWS;
    for (int k0 = thread * 4; k0 < chunks * Chunk; k0 += THREADS * 4 * LoadPlaces)
    {
        float4 v[LoadPlaces][LoadRows];
#pragma unroll
        for (int j = 0; j < LoadPlaces; j++)
        {
#pragma unroll
            for (int r = 0; r < LoadRows; r++)
            {
                const int k = k0 + (j * THREADS * 4);
                v[j][r] = k < p.inputs && r < p.rows ? *(const float4*)(row_of(p.x, r) + k) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            }
        }
#pragma unroll
        for (int j = 0; j < LoadPlaces; j++)
        {
#pragma unroll
            for (int r = 0; r < LoadRows; r++)
            {
                const int k = k0 + (j * THREADS * 4);
                if (k < chunks * Chunk && r < p.rows)
                {
                    *(uint2*)(xs + (r * xRowBytes) + (k * 2)) = make_uint2(pack_elements(v[j][r].x, v[j][r].y), pack_elements(v[j][r].z, v[j][r].w));
                }
            }
        }
    }
    __syncthreads();

    const int g = lane >> 2, q = lane & 3;
    const int row = ROWS == 4 ? g & 3 : g;
    const bool mine = row < p.rows;
    const char* const xLane = xs + ((mine ? row : 0) * xRowBytes) + (q * 16) + (ROWS == 4 ? (g >> 2) * 64 : 0);
    const char* const wLane = shared + (warp * STAGES * SlotBytes) + (g * RowBytes) + (q * 16);

    int i = 0, tile = first + (warp / chunks), chunk = warp % chunks, group = 0;
    for (int base = first; base < end; base += Group, group++)
    {
        const int last = min(end, base + Group);
        float* const partial = (float*)(shared + PartialStart) + ((group & 1) * PartialFloats);
        for (int t = base; t < last; t++)
        {
            float even[4] = {}, odd[4] = {};
#if ROWS == 8
            float even1[4] = {}, odd1[4] = {};
#endif
            while (tile == t)
            {
                const int slot = i % STAGES;
                barrier_wait(barriers + (slot * 8), (i / STAGES) & 1);
                const char* const w = wLane + (slot * SlotBytes);
                const char* const x = xLane + (chunk * Chunk * 2);
#pragma unroll
                for (int k = 0; k < Chunk / 64; k++)
                {
                    const uint4 wa = *(const uint4*)(w + (k * 128)), wb = *(const uint4*)(w + (k * 128) + 64);
                    uint4 xa = *(const uint4*)(x + (k * 128));
                    xa = mine ? xa : make_uint4(0, 0, 0, 0);
                    const unsigned a0[4] = {wa.x, wb.x, wa.y, wb.y}, a1[4] = {wa.z, wb.z, wa.w, wb.w};
                    multiply_add(even, a0, xa.x, xa.y);
                    multiply_add(odd, a1, xa.z, xa.w);
#if ROWS == 8
                    uint4 xb = *(const uint4*)(x + (k * 128) + 64);
                    xb = mine ? xb : make_uint4(0, 0, 0, 0);
                    multiply_add(even1, a0, xb.x, xb.y);
                    multiply_add(odd1, a1, xb.z, xb.w);
#endif
                }
                __syncwarp();
                if (i + STAGES < count)
                {
                    issue(slot);
                }
                i++;
                chunk += Warps;
                while (chunk >= chunks)
                {
                    chunk -= chunks;
                    tile++;
                }
            }

            // Rows 0-7 of the product hold the first half of the inputs, 8-15 the second.
            float* const to = partial + (((((t - base) * Warps) + warp) * 8 + g) * ROWS);
#if ROWS == 4
            const float c2 = __shfl_xor_sync(~0u, even[2] + odd[2], 2), c3 = __shfl_xor_sync(~0u, even[3] + odd[3], 2);
            if (q < 2)
            {
                *(float2*)(to + (2 * q)) = make_float2(even[0] + odd[0] + c2, even[1] + odd[1] + c3);
            }
#else
            *(float2*)(to + (2 * q)) = make_float2(even[0] + odd[0] + (even1[2] + odd1[2]), even[1] + odd[1] + (even1[3] + odd1[3]));
#endif
        }
        __syncthreads();
        for (int item = thread; item < (last - base) * 8 * ROWS; item += THREADS)
        {
            const int t = item / (8 * ROWS), o = (item / ROWS) & 7, r = item % ROWS;
            int output;
            const int target = locate(base + t, output);
            if (r < p.rows && output + o < p.targets[target].outputs)
            {
                float sum = 0.0f;
#pragma unroll
                for (int w = 0; w < Warps; w++)
                {
                    sum += partial[((((t * Warps) + w) * 8 + o) * ROWS) + r];
                }
                if (p.targets[target].bias)
                {
                    sum += p.targets[target].bias[output + o];
                }
                row_of(p.output, r)[p.targets[target].first + output + o] = sum;
            }
        }
    }
#endif
}
