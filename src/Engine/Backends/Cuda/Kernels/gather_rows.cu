// output[i] = x[indexes[i]]
// Grid: one block a row. Bytes: count * columns * 8.
#include "common.cuh"
#include "dependency.cuh"

struct Params {
  RowsView x;
  RowsView output;
  const int* indexes;
  int columns;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL gather_rows(const __grid_constant__ Params p) {
  dependency_begin();
  const float* from = row_of(p.x, p.indexes[blockIdx.x]);
  float* to = row_of(p.output, blockIdx.x);
  for (int i = threadIdx.x; i < p.columns; i += THREADS) to[i] = from[i];
}
