// output[r] = x[r] * W^T + bias for up to 8 matrices of one type, side by side; float32 arithmetic, whatever the stored type.
// Grid: (outputs / (2 * warps), rows / ROWS); a warp computes 2 outputs of ROWS rows. Accumulator: float (product.cuh says the order).
// Bytes: weights once for each ROWS rows. Defines: TYPE of the weights, ROWS.
#include "product.cuh"
using stored_t = stored<TYPE>::type;

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

constexpr int kOutputs = 2;

KERNEL linear(const __grid_constant__ Params p) {
  const int first = (blockIdx.x * kWarps + warp_id()) * kOutputs;
  if (first >= p.outputs) return;
  const stored_t* weights[kOutputs];
  float bias[kOutputs];
#pragma unroll
  for (int o = 0; o < kOutputs; o++) {
    const int n = min(first + o, p.outputs - 1);
    int t = 0;
    while (t + 1 < p.target_count && n >= p.targets[t + 1].first) t++;
    const int local = n - p.targets[t].first;
    weights[o] = (const stored_t*)p.targets[t].weights + (long long)local * p.inputs;
    bias[o] = p.targets[t].bias == nullptr ? 0.0f : p.targets[t].bias[local];
  }
  const float* x[ROWS];
#pragma unroll
  for (int r = 0; r < ROWS; r++) x[r] = row_of(p.x, min((int)blockIdx.y * ROWS + r, p.rows - 1));
  float sums[kOutputs][ROWS];
  products(weights, x, p.inputs, sums);
  if (lane_id() == 0) {
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
      for (int o = 0; o < kOutputs; o++) {
        const int row = blockIdx.y * ROWS + r;
        if (row < p.rows && first + o < p.outputs) row_of(p.output, row)[first + o] = sums[o][r] + bias[o];
      }
  }
}
