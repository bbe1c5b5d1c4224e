// output[t] = activation(bias + sum over j of kernel[j] * x[t - width + 1 + j]) for each column over its sequence; the state keeps the last width - 1 inputs, the oldest first: [width - 1][columns].
// Grid: (columns / THREADS, sequences), a thread a column. Bytes: tokens * columns * 8. May be in place. Defines: WIDTH.
#include "common.cuh"
#include "activation.cuh"

struct Params {
  RowsView x;
  RowsView output;
  const float* kernel;  // [columns, width]
  const float* bias;    // or null
  float* states;        // [slot][state_size]
  const int* slots;
  const int* row_starts;
  const int* positions;
  long long state_size;
  Activation activation;
  int columns;
  int activated;
};
CHECK_PARAMS(Params);

KERNEL short_convolution(const __grid_constant__ Params p) {
  const int c = blockIdx.x * THREADS + threadIdx.x;
  if (c >= p.columns) return;
  const int begin = p.row_starts[blockIdx.y], end = p.row_starts[blockIdx.y + 1];
  float* state = p.states + p.slots[blockIdx.y] * p.state_size;
  const bool fresh = p.positions[begin] == 0;
  float past[WIDTH], taps[WIDTH];
#pragma unroll
  for (int j = 0; j < WIDTH; j++) {
    taps[j] = p.kernel[(long long)c * WIDTH + j];
    past[j] = j < WIDTH - 1 && !fresh ? state[(long long)j * p.columns + c] : 0.0f;
  }
  const float bias = p.bias == nullptr ? 0.0f : p.bias[c];
  for (int t = begin; t < end; t++) {
    past[WIDTH - 1] = row_of(p.x, t)[c];
    float sum = bias;
#pragma unroll
    for (int j = 0; j < WIDTH; j++) sum = fmaf(taps[j], past[j], sum);
    row_of(p.output, t)[c] = p.activated ? activate(p.activation, sum) : sum;
#pragma unroll
    for (int j = 0; j + 1 < WIDTH; j++) past[j] = past[j + 1];
  }
#pragma unroll
  for (int j = 0; j + 1 < WIDTH; j++) state[(long long)j * p.columns + c] = past[j];
}
