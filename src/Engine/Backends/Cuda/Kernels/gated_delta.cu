// Gated delta rule, token after token: with q and k of length 1, q / sqrt(key dim), and g = exp(-exp(log decay) * softplus(decay + bias)):
// S = g * S; S += k (x) (v - k^T S) * beta scale * sigmoid(beta); output = q^T S. State: [value heads][key dim][value dim].
// Grid: (value heads, sequences, value dim / THREADS); a thread a column of S, which stays in the caches. Accumulator: float. Key dim is at most 1024.
// Bytes: state once in and out, tokens * (2 key dim + 2 value dim) * 4 a head.
#include "common.cuh"

struct Params {
  RowsView qkv;
  RowsView betas;
  RowsView decays;
  RowsView output;
  const float* log_decay;
  const float* decay_bias;
  float* states;
  const int* slots;
  const int* row_starts;
  const int* positions;
  long long state_elements;
  int key_heads;
  int value_heads;
  int key_dim;
  int value_dim;
  int decays_per_head;  // 1, or key_dim
  float beta_scale;
};
CHECK_PARAMS(Params);

constexpr int kMaxKeyDim = 1024;

KERNEL gated_delta(const __grid_constant__ Params p) {
  const int head = blockIdx.x, column = blockIdx.z * THREADS + threadIdx.x;
  const int begin = p.row_starts[blockIdx.y], end = p.row_starts[blockIdx.y + 1];
  const int key_head = head / (p.value_heads / p.key_heads) * p.key_dim, key_columns = p.key_heads * p.key_dim;
  __shared__ float q[kMaxKeyDim], k[kMaxKeyDim], g[kMaxKeyDim];
  float* state = p.states + p.slots[blockIdx.y] * p.state_elements + (long long)head * p.key_dim * p.value_dim + column;
  const bool mine = column < p.value_dim;
  if (p.positions[begin] == 0 && mine)
    for (int i = 0; i < p.key_dim; i++) state[(long long)i * p.value_dim] = 0;
  const float rate = -expf(p.log_decay[head]), root = 1.0f / sqrtf((float)p.key_dim);
  for (int t = begin; t < end; t++) {
    const float* row = row_of(p.qkv, t);
    float qq = 0, kk = 0;
    for (int i = threadIdx.x; i < p.key_dim; i += THREADS) {
      q[i] = row[key_head + i];
      k[i] = row[key_columns + key_head + i];
      qq = fmaf(q[i], q[i], qq);
      kk = fmaf(k[i], k[i], kk);
      const int d = head * p.decays_per_head + (p.decays_per_head == 1 ? 0 : i);
      const float raw = row_of(p.decays, t)[d] + p.decay_bias[d];
      g[i] = expf(rate * (raw > 20 ? raw : log1pf(expf(raw))));
    }
    qq = block_sum(qq);
    kk = block_sum(kk);
    const float q_scale = 1.0f / sqrtf(qq + 1e-6f) * root, k_scale = 1.0f / sqrtf(kk + 1e-6f);
    if (mine) {
      const float v = row[2 * key_columns + head * p.value_dim + column];
      const float beta = p.beta_scale / (1.0f + expf(-row_of(p.betas, t)[head]));
      float known = 0;
      for (int i = 0; i < p.key_dim; i++) known = fmaf(state[(long long)i * p.value_dim] * g[i], k[i], known);
      const float change = (v - known * k_scale) * beta * k_scale;
      float sum = 0;
      for (int i = 0; i < p.key_dim; i++) {
        const float s = fmaf(state[(long long)i * p.value_dim], g[i], k[i] * change);
        state[(long long)i * p.value_dim] = s;
        sum = fmaf(s, q[i], sum);
      }
      row_of(p.output, t)[head * p.value_dim + column] = sum * q_scale;
    }
    __syncthreads();
  }
}
