// Dot products of stored rows with float rows, in float32: a lane takes elements [256 j + 8 lane, + 8) for j = 0, 1, ..., then the lanes are summed in a tree.
// The order depends on the inputs alone, so a row has the same bits in any batch and through any kernel that uses this.
#pragma once
#include "common.cuh"
#include "bf16.cuh"

template <int Outputs, int Rows, typename W>
__device__ __forceinline__ void products(const W* const (&weights)[Outputs], const float* const (&x)[Rows], int inputs, float (&sums)[Outputs][Rows]) {
#pragma unroll
  for (int o = 0; o < Outputs; o++)
#pragma unroll
    for (int r = 0; r < Rows; r++) sums[o][r] = 0;

  // A checkpoint promises even rows to nobody; x may be a slice.
  bool wide = inputs % 8 == 0;
#pragma unroll
  for (int r = 0; r < Rows; r++) wide = wide && aligned16(x[r]);
#pragma unroll
  for (int o = 0; o < Outputs; o++) wide = wide && aligned16(weights[o]);
  for (int k = lane_id() * 8; k < inputs; k += 256) {
    float w[Outputs][8];
    if (wide) {
#pragma unroll
      for (int o = 0; o < Outputs; o++) load8(weights[o] + k, w[o]);
    } else {
#pragma unroll
      for (int o = 0; o < Outputs; o++)
#pragma unroll
        for (int e = 0; e < 8; e++) w[o][e] = k + e < inputs ? to_float(weights[o][k + e]) : 0.0f;
    }
#pragma unroll
    for (int r = 0; r < Rows; r++) {
      float v[8];
      if (wide) {
        load8(x[r] + k, v);
      } else {
#pragma unroll
        for (int e = 0; e < 8; e++) v[e] = k + e < inputs ? x[r][k + e] : 0.0f;
      }
#pragma unroll
      for (int o = 0; o < Outputs; o++)
#pragma unroll
        for (int e = 0; e < 8; e++) sums[o][r] = fmaf(w[o][e], v[e], sums[o][r]);
    }
  }
#pragma unroll
  for (int o = 0; o < Outputs; o++)
#pragma unroll
    for (int r = 0; r < Rows; r++) sums[o][r] = warp_sum(sums[o][r]);
}

// One of several matrices whose outputs stand side by side.
struct Target {
  const void* weights;  // [outputs, inputs]
  const float* bias;    // [outputs], or null
  int first;            // column of its first output
  int outputs;
};

#define MAX_TARGETS 8
