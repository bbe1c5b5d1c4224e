// Of each part of a row of logits: flags, the largest allowed logit and the lowest id that has it; where the row's setting names a scale also the part's CANDIDATES largest, which are all that the row's can be.
// Grid: (parts, rows); a thread has PER elements of a part. Bytes: rows * vocabulary * 4, and CANDIDATES * 8 for each part. Defines: PER, CANDIDATES.
#include "select.cuh"

struct Params {
  RowsView logits;
  const int* settings;  // [rows][2]: bits of the scale, first word of the mask or 0
  int* parts;           // [rows][parts][4 + 2 * CANDIDATES]: flags, id, key, count; keys; ids
  int vocabulary;
  int count;            // parts of a row
};
CHECK_PARAMS(Params);

constexpr int kPart = THREADS * PER;

KERNEL logit_parts(const __grid_constant__ Params p) {
  __shared__ unsigned highs[kWarps];
  __shared__ int lows[kWarps], flags[kWarps], used;
  const float* logits = row_of(p.logits, blockIdx.y);
  const int scale = p.settings[2 * blockIdx.y], at = p.settings[2 * blockIdx.y + 1];
  const int* mask = at == 0 ? nullptr : p.settings + at;
  int* to = p.parts + ((long long)blockIdx.y * p.count + blockIdx.x) * (4 + 2 * CANDIDATES);
  unsigned keys[PER], high = 0;
  int ids[PER], flag = 0;
#pragma unroll
  for (int i = 0; i < PER; i++) {
    ids[i] = blockIdx.x * kPart + i * THREADS + threadIdx.x;
    const bool counts = ids[i] < p.vocabulary && allowed(mask, ids[i]);
    const float v = counts ? logits[ids[i]] : -INFINITY;
    keys[i] = key_of(v);
    flag |= (v != v ? 1 : 0) | (v == INFINITY ? 2 : 0);
    high = max(high, keys[i]);
  }
  high = __reduce_max_sync(0xffffffffu, high);
  flag = __reduce_or_sync(0xffffffffu, flag);
  if (lane_id() == 0) { highs[warp_id()] = high; flags[warp_id()] = flag; }
  if (threadIdx.x == 0) used = 0;
  __syncthreads();
#pragma unroll
  for (int w = 0; w < kWarps; w++) { high = max(high, highs[w]); flag |= flags[w]; }
  int low = 0x7fffffff;
#pragma unroll
  for (int i = 0; i < PER; i++)
    if (keys[i] == high) low = min(low, ids[i]);
  low = __reduce_min_sync(0xffffffffu, low);
  if (lane_id() == 0) lows[warp_id()] = low;
  __syncthreads();
  if (threadIdx.x == 0) {
#pragma unroll
    for (int w = 0; w < kWarps; w++) low = min(low, lows[w]);
    to[0] = flag;
    to[1] = low;
    to[2] = (int)high;
    to[3] = 0;
  }
  if (scale == 0 || flag != 0 || high == 0) return;

  const unsigned chosen = select_largest(keys, ids, CANDIDATES);
#pragma unroll
  for (int i = 0; i < PER; i++)
    if ((chosen >> i) & 1) {
      const int slot = atomicAdd(&used, 1);
      to[4 + slot] = (int)keys[i];
      to[4 + CANDIDATES + slot] = ids[i];
    }
  __syncthreads();
  if (threadIdx.x == 0) to[3] = used;
}
