// output[t] = sum over the token's choices, in order, of weight * x[place] : [tokens, columns]
// Grid: (tokens, columns / THREADS). Bytes: tokens * columns * (chosen + 1) * 4.
#include "common.cuh"

struct Params {
  RowsView x;
  RowsView weights;
  RowsView output;
  const int* places;
  int columns;
  int chosen;
};
CHECK_PARAMS(Params);

KERNEL combine_experts(const __grid_constant__ Params p) {
  const int i = blockIdx.y * THREADS + threadIdx.x;
  if (i >= p.columns) return;
  const float* weights = row_of(p.weights, blockIdx.x);
  const int* places = p.places + (long long)blockIdx.x * p.chosen;
  float sum = 0;
  for (int c = 0; c < p.chosen; c++) sum = fmaf(weights[c], row_of(p.x, places[c])[i], sum);
  row_of(p.output, blockIdx.x)[i] = sum;
}
