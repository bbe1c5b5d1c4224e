// output = x * sqrt(mean(reference^2)) / sqrt(max(mean(x^2), floor)), per row.
// Grid: rows. Accumulator: float, in a fixed tree. Bytes: rows * columns * 12. May be in place.
#include "common.cuh"

struct Params {
  RowsView x;
  RowsView reference;
  RowsView output;
  int columns;
  float floor;
};
CHECK_PARAMS(Params);

KERNEL match_magnitude(const __grid_constant__ Params p) {
  const float *x = row_of(p.x, blockIdx.x), *reference = row_of(p.reference, blockIdx.x);
  float* to = row_of(p.output, blockIdx.x);
  float own = 0, wanted = 0;
  for (int i = threadIdx.x; i < p.columns; i += THREADS) {
    own = fmaf(x[i], x[i], own);
    wanted = fmaf(reference[i], reference[i], wanted);
  }
  own = block_sum(own) / p.columns;
  wanted = block_sum(wanted) / p.columns;
  const float factor = sqrtf(wanted) / sqrtf(fmaxf(own, p.floor));
  for (int i = threadIdx.x; i < p.columns; i += THREADS) to[i] = x[i] * factor;
}
