// table[t] = cosines, then sines, of position * inverse[i], times magnitude : [tokens, 2 * half]. The angle is rounded to float32, as the reference implementation rounds it.
// Beyond a length the frequencies are others: `far`, or those of a base that grows with the length (dynamic NTK), computed in double.
// Grid: tokens. Bytes: tokens * half * 8.
#include "common.cuh"
#include "dependency.cuh"

struct Params {
  const int* positions;
  const int* lengths;
  const float* inverse;  // [half]
  const float* far;      // [half], or null
  RowsView table;
  double theta;          // 0: the base does not grow
  double factor;
  int half;
  int original_length;   // of theta
  int far_length;        // of far
  float magnitude;
};
CHECK_PARAMS(Params);

KERNEL rotary_table(const __grid_constant__ Params p) {
  dependency_begin();
  const int position = p.positions[blockIdx.x], length = p.lengths[blockIdx.x];
  float* to = row_of(p.table, blockIdx.x);
  for (int i = threadIdx.x; i < p.half; i += THREADS) {
    float inverse = p.inverse[i];
    if (p.theta != 0 && length > p.original_length) {
      const double dim = 2.0 * p.half;
      const double growth = p.factor * length / p.original_length - (p.factor - 1);
      inverse = (float)(1.0 / pow(p.theta * pow(growth, dim / (dim - 2)), 2.0 * i / dim));
    } else if (p.far != nullptr && length > p.far_length) {
      inverse = p.far[i];
    }
    const float angle = position * inverse;
    to[i] = cosf(angle) * p.magnitude;
    to[p.half + i] = sinf(angle) * p.magnitude;
  }
}
