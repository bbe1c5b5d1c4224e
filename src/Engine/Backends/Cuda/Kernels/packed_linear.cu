// output[r] = x[r] * W^T + bias with weights in few bits, unpacked in the product; several matrices side by side, and for experts each its own rows.
// Grid: (outputs / (2 * warps), experts or 1); a warp has two outputs of all rows of its expert, ROWS at a time. A lane takes inputs [256 j + 8 lane, + 8), then the lanes are summed in a tree: a row has the same bits in any batch.
// Accumulator: float. Bytes: outputs * inputs * bits / 8 and scales, for each ROWS rows. Defines: FORMAT, ROWS.
#include "packed.cuh"

struct Params {
  RowsView x;
  RowsView output;
  const Packed* targets;  // [experts][target_count]
  const int* starts;      // [experts + 1], or null: one matrix for `rows` rows
  int target_count;
  int inputs;
  int outputs;
  int rows;
};
CHECK_PARAMS(Params);

constexpr int kOutputs = 2;

KERNEL packed_linear(const __grid_constant__ Params p) {
  const int begin = p.starts == nullptr ? 0 : p.starts[blockIdx.y], end = p.starts == nullptr ? p.rows : p.starts[blockIdx.y + 1];
  const int first = (blockIdx.x * kWarps + warp_id()) * kOutputs;
  if (begin == end || first >= p.outputs) return;
  const Packed* targets = p.targets + (long long)blockIdx.y * p.target_count;
  Packed target[kOutputs];
  int local[kOutputs];
#pragma unroll
  for (int o = 0; o < kOutputs; o++) {
    const int n = min(first + o, p.outputs - 1);
    target[o] = targets[packed_of(targets, p.target_count, n)];
    local[o] = n - target[o].first;
  }
  for (int place = begin; place < end; place += ROWS) {
    float sums[kOutputs][ROWS] = {};
    for (int k = lane_id() * 8; k < p.inputs; k += 256) {
      float w[kOutputs][8];
#pragma unroll
      for (int o = 0; o < kOutputs; o++) unpack8(target[o], local[o], k, p.inputs, w[o]);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        const float* x = row_of(p.x, min(place + r, end - 1)) + k;
        float v[8];
        if (k + 8 <= p.inputs && aligned16(x)) {
          load8(x, v);
        } else {
#pragma unroll
          for (int e = 0; e < 8; e++) v[e] = k + e < p.inputs ? x[e] : 0.0f;
        }
#pragma unroll
        for (int o = 0; o < kOutputs; o++)
#pragma unroll
          for (int e = 0; e < 8; e++) sums[o][r] = fmaf(w[o][e], v[e], sums[o][r]);
      }
    }
#pragma unroll
    for (int o = 0; o < kOutputs; o++)
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        const float sum = warp_sum(sums[o][r]);
        if (lane_id() == 0 && place + r < end && first + o < p.outputs) row_of(p.output, place + r)[first + o] = sum + (target[o].bias == nullptr ? 0.0f : target[o].bias[local[o]]);
      }
  }
}
