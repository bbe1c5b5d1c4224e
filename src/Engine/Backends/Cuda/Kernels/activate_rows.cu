// MODE 0: output = activation(x). 1: output = activation(x) * up, up `other` columns behind x in the same row. 2: output = x * activation(gate[column / span]).
// Grid: (rows, columns / THREADS). Bytes: rows * columns * 8 (12 where gated). May be in place.
#include "common.cuh"
#include "dependency.cuh"
#include "activation.cuh"

struct Params {
  RowsView x;
  RowsView gate;
  RowsView output;
  Activation activation;
  int columns;
  int other;
};
CHECK_PARAMS(Params);

KERNEL activate_rows(const __grid_constant__ Params p) {
  dependency_begin();
  const int i = blockIdx.y * THREADS + threadIdx.x;
  if (i >= p.columns) return;
  const float* x = row_of(p.x, blockIdx.x);
  float v;
#if MODE == 0
  v = activate(p.activation, x[i]);
#elif MODE == 1
  v = activate(p.activation, x[i]) * gated_up(p.activation, x[i + p.other]);
#else
  v = x[i] * activate(p.activation, row_of(p.gate, blockIdx.x)[i / p.other]);
#endif
  row_of(p.output, blockIdx.x)[i] = v;
}
