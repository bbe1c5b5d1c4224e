// Each expert's product over its own places: output[p] = x[p] * W^T + bias; a row's bits are those of linear.cu.
// Grid: (outputs / (2 * warps), experts); a block goes over its expert's places, ROWS at a time. Bytes: the weights of experts that have tokens.
// Defines: TYPE of the weights, ROWS.
#include "product.cuh"
using stored_t = stored<TYPE>::type;

struct Params {
  RowsView x;
  RowsView output;
  const Target* targets;  // [experts][target_count]
  const int* starts;      // [experts + 1]
  int target_count;
  int inputs;
  int outputs;
  int unused;
};
CHECK_PARAMS(Params);

constexpr int kOutputs = 2;

KERNEL expert_linear(const __grid_constant__ Params p) {
  const int begin = p.starts[blockIdx.y], end = p.starts[blockIdx.y + 1];
  const int first = (blockIdx.x * kWarps + warp_id()) * kOutputs;
  if (begin == end || first >= p.outputs) return;
  const Target* targets = p.targets + (long long)blockIdx.y * p.target_count;
  const stored_t* weights[kOutputs];
  float bias[kOutputs];
#pragma unroll
  for (int o = 0; o < kOutputs; o++) {
    const int n = min(first + o, p.outputs - 1);
    int t = 0;
    while (t + 1 < p.target_count && n >= targets[t + 1].first) t++;
    const int local = n - targets[t].first;
    weights[o] = (const stored_t*)targets[t].weights + (long long)local * p.inputs;
    bias[o] = targets[t].bias == nullptr ? 0.0f : targets[t].bias[local];
  }
  for (int place = begin; place < end; place += ROWS) {
    const float* x[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) x[r] = row_of(p.x, min(place + r, end - 1));
    float sums[kOutputs][ROWS];
    products(weights, x, p.inputs, sums);
    if (lane_id() == 0) {
#pragma unroll
      for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int o = 0; o < kOutputs; o++)
          if (place + r < end && first + o < p.outputs) row_of(p.output, place + r)[first + o] = sums[o][r] + bias[o];
    }
  }
}
