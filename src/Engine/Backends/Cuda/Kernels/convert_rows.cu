// output[r] = x[r] in the weights' type, rows one after the other: [rows, columns]. f16 is clamped to its range.
// Grid: (rows, columns / THREADS). Bytes: rows * columns * 6. Defines: TYPE (f16 or bf16).
#include "common.cuh"
#include "dependency.cuh"
#include "bf16.cuh"
using stored_t = stored<TYPE>::type;

struct Params {
  RowsView x;
  stored_t* output;
  int columns;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL convert_rows(const __grid_constant__ Params p) {
  dependency_begin();
  const int i = blockIdx.y * THREADS + threadIdx.x;
  if (i >= p.columns) return;
  float v = row_of(p.x, blockIdx.x)[i];
#if TYPE == TYPE_F16
  v = v != v ? v : fminf(fmaxf(v, -65504.0f), 65504.0f);
#endif
  p.output[(long long)blockIdx.x * p.columns + i] = from_float<stored_t>(v);
}
