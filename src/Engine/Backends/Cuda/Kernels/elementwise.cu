// One of the verbs that read and write single elements, OPERATION:
//   0 add           x += y * a
//   1 scale and cap x = x * a, then, unless b is 0, b * tanh(x / b)
//   2 add gated     x += y * sigmoid(g), g = z[row][0]
// Grid: (rows, columns / THREADS). Bytes: rows * columns * 8, or 12 with y.
#include "common.cuh"
#include "dependency.cuh"

struct Params {
  RowsView x;
  RowsView y;
  RowsView z;
  int columns;
  float a;
  float b;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL elementwise(const __grid_constant__ Params p) {
  dependency_begin();
  const int i = blockIdx.y * THREADS + threadIdx.x;
  if (i >= p.columns) return;
  float* x = row_of(p.x, blockIdx.x) + i;
#if OPERATION == 0
  *x = fmaf(row_of(p.y, blockIdx.x)[i], p.a, *x);
#elif OPERATION == 1
  const float v = *x * p.a;
  *x = p.b == 0 ? v : p.b * tanhf(v / p.b);
#else
  const float share = 1.0f / (1.0f + expf(-row_of(p.z, blockIdx.x)[0]));
  *x = fmaf(row_of(p.y, blockIdx.x)[i], share, *x);
#endif
}
