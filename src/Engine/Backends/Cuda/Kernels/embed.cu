// output[t] = table[ids[t]] * scale : [tokens, columns]; an id beyond the table takes row 0.
// Grid: one block a token. Bytes: tokens * columns * (sizeof(TYPE) + 4). Defines: TYPE of the table.
#include "common.cuh"
#include "dependency.cuh"
#include "bf16.cuh"
using stored_t = stored<TYPE>::type;

struct Params {
  const stored_t* table;
  const int* ids;
  RowsView output;
  int columns;
  int rows;      // of the table
  float scale;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL embed(const __grid_constant__ Params p) {
  dependency_trigger();
  const int id = p.ids[blockIdx.x];
  const stored_t* from = p.table + (long long)(id < p.rows ? id : 0) * p.columns;
  float* to = row_of(p.output, blockIdx.x);
  for (int i = threadIdx.x; i < p.columns; i += THREADS) to[i] = to_float(from[i]) * p.scale;
}
