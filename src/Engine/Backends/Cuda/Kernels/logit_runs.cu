// For each run of 1024 tokens the sum of e^((logit - largest) * scale) over the allowed ones, to the bit as SoftWeights.cs has it: the same polynomial in float without contraction,
// sixteen lanes in double, the halves of them added to each other, then the lanes in order, then what is left over.
// Grid: (runs / (THREADS / 16), rows); 16 threads a run. Bytes: rows * vocabulary * 4. Rows without a scale are left alone. Defines: CANDIDATES.
#include "select.cuh"

struct Params {
  RowsView logits;
  const int* settings;
  const int* heads;  // [rows][4], of logit_rows
  int* bodies;       // [rows][body_length]: sums behind the candidates
  int vocabulary;
  int body_length;
};
CHECK_PARAMS(Params);

constexpr int kRun = 1024;

__device__ __forceinline__ float weight_of(float logit, float largest, float scale) {
  float x = __fmul_rn(__fsub_rn(logit, largest), scale);
  const bool too_low = x < -87.0f;
  x = fmaxf(x, -87.0f);
  const float magic = 12582912.0f;
  const float shifted = __fadd_rn(__fmul_rn(x, 1.44269504f), magic);
  const float n = __fsub_rn(shifted, magic);
  const float r = __fsub_rn(__fsub_rn(x, __fmul_rn(n, 0.693359375f)), __fmul_rn(n, -2.12194440e-4f));
  float v = __fadd_rn(__fmul_rn(1.0f / 720.0f, r), 1.0f / 120.0f);
  v = __fadd_rn(__fmul_rn(v, r), 1.0f / 24.0f);
  v = __fadd_rn(__fmul_rn(v, r), 1.0f / 6.0f);
  v = __fadd_rn(__fmul_rn(v, r), 0.5f);
  v = __fadd_rn(__fadd_rn(__fmul_rn(__fmul_rn(v, r), r), r), 1.0f);
  return too_low ? 0.0f : __int_as_float(__float_as_int(v) + (__float_as_int(shifted) << 23));
}

KERNEL logit_runs(const __grid_constant__ Params p) {
  const int* head = p.heads + 4 * blockIdx.y;
  const float scale = __int_as_float(p.settings[2 * blockIdx.y]);
  const int at = p.settings[2 * blockIdx.y + 1];
  if (scale == 0 || head[0] != 0 || head[1] < 0) return;
  const int* mask = at == 0 ? nullptr : p.settings + at;
  const float largest = __int_as_float(head[2]);
  const float* logits = row_of(p.logits, blockIdx.y);
  const int run = blockIdx.x * (THREADS / 16) + threadIdx.x / 16, lane = threadIdx.x % 16, first = run * kRun;
  const int length = max(0, min(kRun, p.vocabulary - first)), in_lanes = length - length % 16;
  double sum = 0;
  for (int i = lane; i < in_lanes; i += 16)
    if (allowed(mask, first + i)) sum += weight_of(logits[first + i], largest, scale);
  sum += __shfl_down_sync(0xffffffffu, sum, 8, 16);
  double total = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) total += __shfl_sync(0xffffffffu, sum, i, 16);
  if (lane != 0 || length == 0) return;
  for (int i = in_lanes; i < length; i++)
    if (allowed(mask, first + i)) total += weight_of(logits[first + i], largest, scale);
  reinterpret_cast<double*>(p.bodies + (long long)blockIdx.y * p.body_length + 2 * CANDIDATES)[run] = total;
}
