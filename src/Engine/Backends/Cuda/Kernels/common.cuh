// What every kernel may include. NVRTC has no CUDA headers of its own.
#pragma once

static_assert(sizeof(void*) == 8, "64-bit only");

#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif

// The C# twin of a kernel's params struct has PARAMS_BYTES bytes.
#define CHECK_PARAMS(type) static_assert(sizeof(type) == PARAMS_BYTES, "params differ from their C# twin")

#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS)

constexpr int kWarps = THREADS / 32;

// Rows of floats: one every `stride` elements.
struct RowsView {
  float* data;
  long long stride;
};

__device__ __forceinline__ float* row_of(const RowsView& view, long long row) { return view.data + row * view.stride; }

__device__ __forceinline__ int lane_id() { return threadIdx.x & 31; }
__device__ __forceinline__ int warp_id() { return threadIdx.x >> 5; }

// The sum over a warp, in every lane; the order is fixed.
__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

// The sum over a block, in every thread; the order is fixed. Ends with a barrier.
__device__ __forceinline__ float block_sum(float v) {
  __shared__ float parts[kWarps];
  v = warp_sum(v);
  if (lane_id() == 0) parts[warp_id()] = v;
  __syncthreads();
  v = 0;
#pragma unroll
  for (int i = 0; i < kWarps; i++) v += parts[i];
  __syncthreads();
  return v;
}

// The sequence that a row belongs to: row_starts[s] <= row < row_starts[s + 1].
__device__ __forceinline__ int sequence_of(const int* row_starts, int sequences, int row) {
  int low = 0, high = sequences - 1;
  while (low < high) {
    int middle = (low + high + 1) >> 1;
    if (row_starts[middle] <= row) low = middle; else high = middle - 1;
  }
  return low;
}
