// Mamba 2, token after token: d = clamp(softplus(step + bias)); S = S * exp(-exp(log decay) * d) + d * x (x) B; output = S . C + skip * x. State: [heads][head dim][state size].
// Grid: (heads * head dim / warps, sequences); a warp holds one row of S in registers over all tokens. Accumulator: float.
// Bytes: tokens * (heads * head dim * 8 + the B and C that the heads share in the caches). Defines: PER (state size / 32, rounded up).
#include "common.cuh"

struct Params {
  RowsView xbc;
  RowsView steps;
  RowsView output;
  const float* log_decay;
  const float* step_bias;
  const float* skip;
  float* states;
  const int* slots;
  const int* row_starts;
  const int* positions;
  long long state_elements;
  int heads;
  int head_dim;
  int groups;
  int state_size;
  float min_step;
  float max_step;
};
CHECK_PARAMS(Params);

KERNEL selective_scan(const __grid_constant__ Params p) {
  const int index = blockIdx.x * kWarps + warp_id(), lane = lane_id();
  if (index >= p.heads * p.head_dim) return;
  const int head = index / p.head_dim, columns = p.heads * p.head_dim;
  const int group = head / (p.heads / p.groups) * p.state_size;
  const int begin = p.row_starts[blockIdx.y], end = p.row_starts[blockIdx.y + 1];
  float* state = p.states + p.slots[blockIdx.y] * p.state_elements + (long long)index * p.state_size;
  const bool fresh = p.positions[begin] == 0;
  const float decay_rate = -expf(p.log_decay[head]), bias = p.step_bias[head], skip = p.skip[head];
  float s[PER];
#pragma unroll
  for (int j = 0; j < PER; j++) s[j] = fresh || lane + 32 * j >= p.state_size ? 0.0f : state[lane + 32 * j];
  for (int t = begin; t < end; t++) {
    const float* row = row_of(p.xbc, t);
    const float raw = row_of(p.steps, t)[head] + bias;
    const float d = fminf(fmaxf(raw > 20 ? raw : log1pf(expf(raw)), p.min_step), p.max_step);
    const float decay = expf(decay_rate * d), x = row[index], dx = d * x;
    const float *b = row + columns + group, *c = row + columns + p.groups * p.state_size + group;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int n = lane + 32 * j;
      if (n < p.state_size) {
        s[j] = fmaf(s[j], decay, dx * b[n]);
        sum = fmaf(s[j], c[n], sum);
      }
    }
    sum = warp_sum(sum);
    if (lane == 0) row_of(p.output, t)[index] = fmaf(skip, x, sum);
  }
#pragma unroll
  for (int j = 0; j < PER; j++)
    if (lane + 32 * j < p.state_size) state[lane + 32 * j] = s[j];
}
