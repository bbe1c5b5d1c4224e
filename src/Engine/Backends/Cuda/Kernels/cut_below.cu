// x = max(0, x - mean - deviations * standard deviation), both of the row itself.
// Grid: rows. Accumulator: float, two passes. Bytes: rows * columns * 8.
#include "common.cuh"

struct Params {
  RowsView x;
  int columns;
  float deviations;
};
CHECK_PARAMS(Params);

KERNEL cut_below(const __grid_constant__ Params p) {
  float* x = row_of(p.x, blockIdx.x);
  float sum = 0;
  for (int i = threadIdx.x; i < p.columns; i += THREADS) sum += x[i];
  const float mean = block_sum(sum) / p.columns;
  float squares = 0;
  for (int i = threadIdx.x; i < p.columns; i += THREADS) squares = fmaf(x[i] - mean, x[i] - mean, squares);
  const float cut = mean + p.deviations * sqrtf(block_sum(squares) / p.columns);
  for (int i = threadIdx.x; i < p.columns; i += THREADS) x[i] = fmaxf(0.0f, x[i] - cut);
}
