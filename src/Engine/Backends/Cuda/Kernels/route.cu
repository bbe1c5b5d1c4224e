// The experts of each token: scores (softmax or sigmoid of the logits), the best `chosen` by score + correction within the best groups, the lower index among equals;
// their weights, times a factor of each expert.
// Grid: one block of one warp a token. What is not a number counts as the lowest. Dynamic shared memory: (2 * experts + groups) floats.
// Bytes: tokens * (experts + 2 * chosen) * 4.
#include "common.cuh"

struct Params {
  RowsView logits;
  RowsView weights;         // [tokens, chosen]
  const float* correction;  // [experts], or null
  const float* factors;     // [experts] on the weights, or null
  int* ids;                 // [tokens, chosen]
  int experts;
  int chosen;
  int sigmoid;
  int groups;
  int chosen_groups;
  int group_best;
  int normalised;
  float epsilon;
  float scale;
  int unused;
};
CHECK_PARAMS(Params);

extern __shared__ float shared[];

// Index of the highest value that is not taken (taken: +infinity marks it), the lower index among equals; in every lane.
__device__ __forceinline__ int best_of(const float* values, int count) {
  float best = 0;
  int index = -1;
  for (int i = lane_id(); i < count; i += 32)
    if (values[i] != INFINITY && (index < 0 || values[i] > best)) { best = values[i]; index = i; }
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) {
    const float other = __shfl_xor_sync(0xffffffffu, best, offset);
    const int at = __shfl_xor_sync(0xffffffffu, index, offset);
    if (at >= 0 && (index < 0 || other > best || (other == best && at < index))) { best = other; index = at; }
  }
  return index;
}

KERNEL route(const __grid_constant__ Params p) {
  float *scores = shared, *candidates = shared + p.experts, *groups = shared + 2 * p.experts;
  const float* logits = row_of(p.logits, blockIdx.x);
  const int lane = threadIdx.x;
  float high = -INFINITY, sum = 0;
  for (int e = lane; e < p.experts; e += 32) high = fmaxf(high, logits[e]);
  high = warp_max(high);
  if (!p.sigmoid) {
    for (int e = lane; e < p.experts; e += 32) sum += expf(logits[e] - high);
    sum = warp_sum(sum);
  }
  for (int e = lane; e < p.experts; e += 32) {
    scores[e] = p.sigmoid ? 1.0f / (1.0f + expf(-logits[e])) : expf(logits[e] - high) / sum;
    const float candidate = scores[e] + (p.correction == nullptr ? 0.0f : p.correction[e]);
    candidates[e] = candidate < INFINITY ? candidate : -INFINITY;  // false for NaN
  }
  __syncwarp();
  if (p.groups > 1) {
    const int size = p.experts / p.groups;
    for (int g = lane; g < p.groups; g += 32) {
      // The sum of the group's best, highest first.
      float last = INFINITY, total = 0;
      int left = p.group_best;
      while (left > 0) {
        float next = -INFINITY;
        int equal = 0;
        for (int e = g * size; e < (g + 1) * size; e++) {
          const float v = candidates[e];
          if (v < last) { if (v > next) { next = v; equal = 1; } else if (v == next) equal++; }
        }
        if (equal == 0 || next == -INFINITY) break;
        total += next * min(equal, left);
        left -= equal;
        last = next;
      }
      groups[g] = total;
    }
    __syncwarp();
    for (int c = 0; c < p.chosen_groups; c++) {
      const int g = best_of(groups, p.groups);
      __syncwarp();
      if (lane == 0 && g >= 0) groups[g] = INFINITY;
      __syncwarp();
    }
    for (int e = lane; e < p.experts; e += 32)
      if (groups[e / size] != INFINITY) candidates[e] = -INFINITY;
    __syncwarp();
  }
  int* ids = p.ids + (long long)blockIdx.x * p.chosen;
  float* weights = row_of(p.weights, blockIdx.x);
  float total = p.epsilon;
  for (int c = 0; c < p.chosen; c++) {
    const int e = best_of(candidates, p.experts);
    __syncwarp();
    if (lane == 0) {
      ids[c] = e;
      weights[c] = scores[e];
      candidates[e] = INFINITY;
    }
    total += scores[e];
    __syncwarp();
  }
  const float factor = (p.normalised ? 1.0f / total : 1.0f) * p.scale;
  for (int c = lane; c < p.chosen; c += 32) weights[c] = weights[c] * factor * (p.factors == nullptr ? 1.0f : p.factors[ids[c]]);
}
