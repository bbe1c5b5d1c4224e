// Decode attention as the paper's baseline has it (arXiv 2504.06319; the structure of vLLM's XFormers decode kernel), with the paper's prefetch: the ablation.
//
//   output[s, h] as in paged_attention_decode.cu, with all its options.
//
// Shapes   as in paged_attention_decode.cu; q and output float32, 16-bit KV.
// Grid     (heads, sequences); block 4 warps. One CTA for each query head and sequence, no split over the context; query heads of a group read K and V again each.
// Work     Each warp walks the pages at stride 4. K: two lanes a token, each half of the token's 16-byte chunks; scores to shared memory, softmax over the CTA, then V:
//          a lane owns 8 elements of the head. Float32 arithmetic throughout. Contexts beyond TILE_TOKENS are taken tile by tile, with the running maximum.
// Prefetch PREFETCH = 1: while page i is worked on, the K slab (in the score loop) and the V slab (in the value loop) of page i + 4 * PREFETCH_DISTANCE, this warp's
//          own, are asked into L2 (cp.async.bulk.prefetch.L2; a line at a time before sm_90). 2 (control): the same instruction aimed at page i itself. 0: none.
// Bytes    heads / kvHeads times the KV, q and output once.
// Defines  HEAD_DIM, ELEMENT_F16, PREFETCH, PREFETCH_DISTANCE, TILE_TOKENS.

#include "async.cuh"
#include "common.cuh"
#include "kv_slab.cuh"
#include "mma.cuh"

struct PaperParams
{
    const float* q;
    float* output;
    const char* keys;
    const char* values;
    const int* positions;
    const int* rowStarts;
    const int* blockTableStarts;
    const int* blockTables;
    const float* sinks;
    long long qStride;
    long long outputStride;
    int kvHeads;
    // Query heads per KV head.
    int group;
    // Tokens that a token sees; 0: all.
    int window;
    float scale;
    // 0: none
    float softCap;
    float growthBeta;
    int growthLength;
    int reserved;
};

CHECK_PARAMS(PaperParams);

namespace {

constexpr int Warps = 4;
constexpr int KeyChunks = (SLAB_ROW_CHUNKS + 1) / 2;
// Lanes that share a token's values, a chunk each; the rest of the warp takes other tokens.
constexpr int ValueLanes = SLAB_ROW_CHUNKS <= 8 ? 8 : SLAB_ROW_CHUNKS <= 16 ? 16 : 32;
constexpr int ValueTokens = 32 / ValueLanes;

__device__ __forceinline__ void dot8(const uint4& k, const float* q, float& sum)
{
    const unsigned words[4] = {k.x, k.y, k.z, k.w};
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        float low, high;
        unpack_elements(words[i], low, high);
        sum = fmaf(low, q[2 * i], sum);
        sum = fmaf(high, q[(2 * i) + 1], sum);
    }
}

__device__ __forceinline__ void prefetch_slab(const char* slab, int lane)
{
#if __CUDA_ARCH__ >= 900
    if (lane == 0)
    {
        prefetch_l2(slab, SLAB_BYTES);
    }
#else
    for (int c = lane * 128; c < SLAB_BYTES; c += 4096)
    {
        prefetch_l2_line(slab + c);
    }
#endif
}

} // namespace

KERNEL paged_attention_paper(const __grid_constant__ PaperParams params)
{
    extern __shared__ float scores[];
    __shared__ float query[HEAD_DIM];
    __shared__ float warpMaxima[Warps], warpSums[Warps];
    __shared__ float accumulators[Warps][HEAD_DIM];
    const int head = blockIdx.x, sequence = blockIdx.y, thread = threadIdx.x, warp = thread >> 5, lane = thread & 31;
    dependency_wait();
    const int row = params.rowStarts ? params.rowStarts[sequence] : sequence;
    if (params.rowStarts && params.rowStarts[sequence + 1] - row != 1)
    {
        return;
    }
    const int position = params.positions[row];
    const int firstToken = params.window > 0 ? max(0, position - params.window + 1) : 0;
    const int kvHead = head / params.group;
    const int* const table = params.blockTables + params.blockTableStarts[sequence];
    float scale = params.scale;
    if (params.growthBeta != 0.0f)
    {
        scale *= 1.0f + (params.growthBeta * logf(1.0f + (float)(position / params.growthLength)));
    }
    for (int d = thread; d < HEAD_DIM; d += THREADS)
    {
        query[d] = params.q[(row * params.qStride) + ((long long)head * HEAD_DIM) + d] * scale;
    }
    __syncthreads();

    auto slab = [&](const char* base, int page) { return base + ((((long long)table[page] * params.kvHeads) + kvHead) * SLAB_BYTES); };

    // This lane's chunks of a key: its half's, at stride 2, as the two lanes of a token read neighbouring 16 bytes.
    const int token = lane >> 1, half = lane & 1;
    float q[KeyChunks * 8];
#pragma unroll
    for (int c = 0; c < KeyChunks; c++)
    {
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            const int chunk = (2 * c) + half;
            q[(c * 8) + e] = chunk < SLAB_ROW_CHUNKS ? query[(chunk * 8) + e] : 0.0f;
        }
    }

    float maximum = -__int_as_float(0x7f800000), sum = 0.0f;
    float o[8] = {};
    const int valueChunk = lane % ValueLanes, valueToken = lane / ValueLanes;
    const int pageEnd = (position / SLAB_TOKENS) + 1;
    for (int tile = firstToken / SLAB_TOKENS; tile < pageEnd; tile += TILE_TOKENS / SLAB_TOKENS)
    {
        const int tileEnd = min(pageEnd, tile + (TILE_TOKENS / SLAB_TOKENS));
        float tileMaximum = -__int_as_float(0x7f800000);
        for (int page = tile + warp; page < tileEnd; page += Warps)
        {
#if PREFETCH
            const int asked = PREFETCH == 1 ? page + (Warps * PREFETCH_DISTANCE) : page;
            if (asked < tileEnd)
            {
                prefetch_slab(slab(params.keys, asked), lane);
            }
#endif
            const char* const keys = slab(params.keys, page);
            uint4 k[KeyChunks];
#pragma unroll
            for (int c = 0; c < KeyChunks; c++)
            {
                const int chunk = (2 * c) + half;
                k[c] = chunk < SLAB_ROW_CHUNKS ? *(const uint4*)(keys + slab_chunk_offset(token, chunk)) : make_uint4(0, 0, 0, 0);
            }
            float s = 0.0f;
#pragma unroll
            for (int c = 0; c < KeyChunks; c++)
            {
                dot8(k[c], q + (c * 8), s);
            }
            s += __shfl_xor_sync(~0u, s, 1);
            if (params.softCap != 0.0f)
            {
                s = params.softCap * tanhf(s / params.softCap);
            }
            const int at = (page * SLAB_TOKENS) + token;
            if (at > position || at < firstToken)
            {
                s = -__int_as_float(0x7f800000);
            }
            if (half == 0)
            {
                scores[((page - tile) * SLAB_TOKENS) + token] = s;
            }
            tileMaximum = fmaxf(tileMaximum, s);
        }
        tileMaximum = warp_max(tileMaximum);
        if (lane == 0)
        {
            warpMaxima[warp] = tileMaximum;
        }
        __syncthreads();
        float next = maximum;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            next = fmaxf(next, warpMaxima[w]);
        }
        const float factor = expf(maximum - next);
        maximum = next;
        float tileSum = 0.0f;
        for (int i = thread; i < (tileEnd - tile) * SLAB_TOKENS; i += THREADS)
        {
            const float p = expf(scores[i] - maximum);
            scores[i] = p;
            tileSum += p;
        }
        tileSum = warp_sum(tileSum);
        if (lane == 0)
        {
            warpSums[warp] = tileSum;
        }
        __syncthreads();
        sum *= factor;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            sum += warpSums[w];
        }
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            o[e] *= factor;
        }

        for (int page = tile + warp; page < tileEnd; page += Warps)
        {
#if PREFETCH
            const int asked = PREFETCH == 1 ? page + (Warps * PREFETCH_DISTANCE) : page;
            if (asked < tileEnd)
            {
                prefetch_slab(slab(params.values, asked), lane);
            }
#endif
            const char* const values = slab(params.values, page);
            const int from = firstToken - (page * SLAB_TOKENS), to = position + 1 - (page * SLAB_TOKENS);
            if (valueChunk < SLAB_ROW_CHUNKS)
            {
#pragma unroll
                for (int t = valueToken; t < SLAB_TOKENS; t += ValueTokens)
                {
                    // What lies outside the context may be anything.
                    uint4 v = *(const uint4*)(values + slab_chunk_offset(t, valueChunk));
                    if (t < from || t >= to)
                    {
                        v = make_uint4(0, 0, 0, 0);
                    }
                    const float p = scores[((page - tile) * SLAB_TOKENS) + t];
                    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
                    for (int i = 0; i < 4; i++)
                    {
                        float low, high;
                        unpack_elements(words[i], low, high);
                        o[2 * i] = fmaf(p, low, o[2 * i]);
                        o[(2 * i) + 1] = fmaf(p, high, o[(2 * i) + 1]);
                    }
                }
            }
        }
        __syncthreads();
    }

#pragma unroll
    for (int offset = ValueLanes; offset < 32; offset <<= 1)
    {
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            o[e] += __shfl_xor_sync(~0u, o[e], offset);
        }
    }
    if (lane < SLAB_ROW_CHUNKS && lane < ValueLanes)
    {
#pragma unroll
        for (int e = 0; e < 8; e++)
        {
            accumulators[warp][(lane * 8) + e] = o[e];
        }
    }
    __syncthreads();
    if (params.sinks)
    {
        const float sink = params.sinks[head], top = fmaxf(maximum, sink), factor = expf(maximum - top);
        sum = (sum * factor) + expf(sink - top);
        sum /= factor;
    }
    for (int d = thread; d < HEAD_DIM; d += THREADS)
    {
        float total = 0.0f;
#pragma unroll
        for (int w = 0; w < Warps; w++)
        {
            total += accumulators[w][d];
        }
        params.output[(row * params.outputStride) + ((long long)head * HEAD_DIM) + d] = total / sum;
    }
}
