// output[t, h] = softmax(cap(q . K * scale)) V over the token's sequence up to itself; the plain form: every option, no split.
// Grid: (tokens, heads); 4 warps walk the pages' 16-token pieces in turn, two lanes a token for q . K, a lane VALUE_DIM / 32 elements for P V. Online softmax, float accumulators;
// the split over warps depends on the context alone, so a token has the same bits in any batch and chunk.
// Bytes: context * d * 2 * sizeof(KV) for each head and token (the heads of a group share them in the caches). Defines: HEAD_DIM, KV,
// VALUE_DIM, VALUES_IN_KEYS (1: the last VALUE_DIM elements of a key are the value, and nothing else is stored).
#include "common.cuh"
#include "bf16.cuh"
#include "kv_order.cuh"
using kv_t = stored<KV>::type;

struct Params {
  RowsView q;
  RowsView output;
  const kv_t* keys;
  const kv_t* values;
  const int* positions;
  const int* row_starts;
  const int* table_starts;
  const int* tables;
  const float* sinks;  // [heads], or null
  int sequences;
  int group;           // query heads of a KV head
  int kv_heads;
  int page_size;       // a multiple of 16
  int window;          // 0: all
  int growth_length;
  float growth_beta;
  float scale;
  float soft_cap;      // 0: none
  int only_several;    // 1: sequences with one row are left to the decode kernel
};
CHECK_PARAMS(Params);

constexpr int kPer = (VALUE_DIM + 31) / 32;
constexpr int kValueFirst = VALUES_IN_KEYS ? HEAD_DIM - VALUE_DIM : 0;
constexpr int kChunks = HEAD_DIM / 8;

KERNEL paged_attention(const __grid_constant__ Params p) {
  __shared__ __align__(16) float query[HEAD_DIM + 8];
  __shared__ float partial[kWarps][VALUE_DIM];
  __shared__ float highs[kWarps], sums[kWarps];
  const int head = blockIdx.y, token = blockIdx.x, kv_head = head / p.group;
  const int sequence = sequence_of(p.row_starts, p.sequences, token);
  if (p.only_several && p.row_starts[sequence + 1] - p.row_starts[sequence] == 1) return;
  const float* q = row_of(p.q, token) + (long long)head * HEAD_DIM;
  for (int i = threadIdx.x; i < HEAD_DIM; i += THREADS) query[i] = q[i];
  const int position = p.positions[token];
  const int context = position + 1;
  const int from = p.window == 0 ? 0 : max(0, context - p.window);
  const int* table = p.tables + p.table_starts[sequence];
  const float growth = p.growth_beta == 0 ? 1.0f : 1.0f + p.growth_beta * logf(1.0f + (float)(position / p.growth_length));
  const float scale = p.scale * growth;
  __syncthreads();

  float high = -INFINITY, sum = 0, acc[kPer];
#pragma unroll
  for (int j = 0; j < kPer; j++) acc[j] = 0;
  const int lane = lane_id(), half = lane & 1;
  for (int base = (from / 16 + warp_id()) * 16; base < context; base += 16 * kWarps) {
    const long long slab = ((long long)table[base / p.page_size] * p.kv_heads + kv_head) * p.page_size + base % p.page_size;
    const int mine = base + (lane >> 1);
    const bool seen = mine >= from && mine < context;
    float score = 0;
    if (seen) {
      const kv_t* key = p.keys + (slab + (lane >> 1)) * HEAD_DIM;
      const int key_swizzle = KV == TYPE_F32 ? 0 : kv_swizzle(lane >> 1, HEAD_DIM);
      if constexpr (HEAD_DIM % 8 == 0) {
#pragma unroll 4
        for (int c = half; c < kChunks; c += 2) {
          float k[8];
          load8(key + (c ^ key_swizzle) * 8, k);
#pragma unroll
          for (int e = 0; e < 8; e++) score = fmaf(k[e], query[c * 8 + e], score);
        }
      } else {
        for (int e = half; e < HEAD_DIM; e += 2) score = fmaf(to_float(key[e]), query[e], score);
      }
    }
    score += __shfl_xor_sync(0xffffffffu, score, 1);
    score *= scale;
    if (p.soft_cap != 0) score = p.soft_cap * tanhf(score / p.soft_cap);
    if (!seen) score = -INFINITY;
    const float highest = fmaxf(high, warp_max(score));  // each piece has at least one token that is seen
    const float shrink = expf(high - highest);
    const float weight = expf(score - highest);
    sum = sum * shrink + warp_sum(half == 0 ? weight : 0.0f);
    high = highest;
#pragma unroll
    for (int j = 0; j < kPer; j++) acc[j] *= shrink;
    const int first = max(from - base, 0), last = min(context - base, 16);
    const kv_t* value = (VALUES_IN_KEYS ? p.keys : p.values) + slab * HEAD_DIM;
#pragma unroll 4
    for (int t = first; t < last; t++) {
      const float w = __shfl_sync(0xffffffffu, weight, 2 * t);
#pragma unroll
      for (int j = 0; j < kPer; j++) {
        const int e = lane + 32 * j;
        if (VALUE_DIM % 32 == 0 || e < VALUE_DIM) acc[j] = fmaf(w, to_float(value[t * HEAD_DIM + (KV == TYPE_F32 ? kValueFirst + e : kv_place(t, kValueFirst + e, HEAD_DIM))]), acc[j]);
      }
    }
  }

  const int warp = warp_id();
#pragma unroll
  for (int j = 0; j < kPer; j++)
    if (lane + 32 * j < VALUE_DIM) partial[warp][lane + 32 * j] = acc[j];
  if (lane == 0) { highs[warp] = high; sums[warp] = sum; }
  __syncthreads();
  float top = p.sinks == nullptr ? -INFINITY : p.sinks[head];
#pragma unroll
  for (int w = 0; w < kWarps; w++) top = fmaxf(top, highs[w]);
  float total = p.sinks == nullptr ? 0.0f : expf(p.sinks[head] - top);
#pragma unroll
  for (int w = 0; w < kWarps; w++) total += sums[w] * expf(highs[w] - top);
  float* to = row_of(p.output, token) + (long long)head * VALUE_DIM;
  for (int i = threadIdx.x; i < VALUE_DIM; i += THREADS) {
    float v = 0;
#pragma unroll
    for (int w = 0; w < kWarps; w++) v = fmaf(partial[w][i], expf(highs[w] - top), v);
    to[i] = v / total;
  }
}
