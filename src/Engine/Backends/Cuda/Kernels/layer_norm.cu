// output = (x - mean) / sqrt(variance + epsilon) * gain + bias, per row.
// Grid: rows. Accumulator: float, two passes. Bytes: rows * columns * 8. May be in place.
#include "common.cuh"

struct Params {
  RowsView x;
  RowsView output;
  const float* gain;
  const float* bias;  // or null
  int columns;
  float epsilon;
};
CHECK_PARAMS(Params);

KERNEL layer_norm(const __grid_constant__ Params p) {
  const float* x = row_of(p.x, blockIdx.x);
  float* to = row_of(p.output, blockIdx.x);
  float sum = 0;
  for (int i = threadIdx.x; i < p.columns; i += THREADS) sum += x[i];
  const float mean = block_sum(sum) / p.columns;
  float squares = 0;
  for (int i = threadIdx.x; i < p.columns; i += THREADS) squares = fmaf(x[i] - mean, x[i] - mean, squares);
  const float factor = 1.0f / sqrtf(block_sum(squares) / p.columns + p.epsilon);
  for (int i = threadIdx.x; i < p.columns; i += THREADS) to[i] = (x[i] - mean) * factor * p.gain[i] + (p.bias == nullptr ? 0.0f : p.bias[i]);
}
