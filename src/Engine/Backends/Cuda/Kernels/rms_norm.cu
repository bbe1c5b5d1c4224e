// residual += addend * scale (where there is an addend); output = x / sqrt(mean(x^2) + epsilon) * gain, for each of `groups` equal parts of a row.
// Grid: (rows, groups). Accumulator: float, in a fixed tree. Bytes: rows * columns * 8, with an addend 16. May be in place.
#include "common.cuh"
#include "dependency.cuh"

struct Params {
  RowsView x;
  RowsView addend;      // data null: none
  RowsView output;
  const float* gain;
  long long gain_stride;  // from one part's gain to the next; 0: shared
  int columns;          // of a part
  float epsilon;
  float scale;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL rms_norm(const __grid_constant__ Params p) {
  dependency_begin();
  const long long part = (long long)blockIdx.y * p.columns;
  float* x = row_of(p.x, blockIdx.x) + part;
  float* to = row_of(p.output, blockIdx.x) + part;
  const float* gain = p.gain + blockIdx.y * p.gain_stride;
  float sum = 0;
  if (p.addend.data != nullptr) {
    const float* addend = row_of(p.addend, blockIdx.x) + part;
    for (int i = threadIdx.x; i < p.columns; i += THREADS) {
      float v = fmaf(addend[i], p.scale, x[i]);
      x[i] = v;
      sum = fmaf(v, v, sum);
    }
  } else {
    for (int i = threadIdx.x; i < p.columns; i += THREADS) sum = fmaf(x[i], x[i], sum);
  }
  const float factor = 1.0f / sqrtf(block_sum(sum) / p.columns + p.epsilon);
  for (int i = threadIdx.x; i < p.columns; i += THREADS) to[i] = x[i] * factor * gain[i];
}
