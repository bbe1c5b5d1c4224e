// The largest so many of the keys that a block holds, the lower ids first among equal ones. Keys order floats; 0 is no key.
#pragma once
#include "common.cuh"

// A logit as an unsigned integer in its order; 0 for what can never be chosen: forbidden, -infinity, not a number.
__device__ __forceinline__ unsigned key_of(float v) {
  if (!(v > -INFINITY)) return 0;
  const unsigned bits = __float_as_uint(v + 0.0f);  // -0 becomes 0
  return bits ^ ((unsigned)((int)bits >> 31) | 0x80000000u);
}
__device__ __forceinline__ float value_of(unsigned key) {
  return __uint_as_float(key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

__device__ __forceinline__ bool allowed(const int* mask, int token) { return mask == nullptr || ((mask[token >> 5] >> (token & 31)) & 1) != 0; }

// The sum over the block, in every thread. `turn` alternates, so that one barrier is enough.
__device__ __forceinline__ int block_count(int count, int& turn) {
  __shared__ int parts[2][kWarps];
  count = __reduce_add_sync(0xffffffffu, count);
  if (lane_id() == 0) parts[turn][warp_id()] = count;
  __syncthreads();
  int sum = 0;
#pragma unroll
  for (int i = 0; i < kWarps; i++) sum += parts[turn][i];
  turn ^= 1;
  return sum;
}

// Which of a thread's keys are among the block's `wanted` largest, as bits.
template <int Per>
__device__ __forceinline__ unsigned select_largest(const unsigned (&keys)[Per], const int (&ids)[Per], int wanted) {
  static_assert(Per <= 32, "bits of a word");
  int turn = 0;
  unsigned limit = 0;
  bool exact = false;
  for (int bit = 31; bit >= 0 && !exact; bit--) {
    const unsigned higher = limit | (1u << bit);
    int count = 0;
#pragma unroll
    for (int i = 0; i < Per; i++) count += keys[i] >= higher;
    count = block_count(count, turn);
    if (count >= wanted) limit = higher;
    exact = count == wanted;
  }
  int last = 0x7fffffff;  // of those that equal the limit the highest id that is taken
  if (!exact && limit != 0) {
    int above = 0;
#pragma unroll
    for (int i = 0; i < Per; i++) above += keys[i] > limit;
    const int left = wanted - block_count(above, turn);
    last = 0;
    for (int bit = 30; bit >= 0; bit--) {
      const int lower = last | ((1 << bit) - 1);
      int count = 0;
#pragma unroll
      for (int i = 0; i < Per; i++) count += keys[i] == limit && ids[i] <= lower;
      if (block_count(count, turn) < left) last |= 1 << bit;
    }
  }
  unsigned chosen = 0;
#pragma unroll
  for (int i = 0; i < Per; i++)
    if (keys[i] != 0 && (keys[i] > limit || (keys[i] == limit && ids[i] <= last))) chosen |= 1u << i;
  return chosen;
}
