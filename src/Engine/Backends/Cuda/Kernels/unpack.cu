// Weights in few bits as a matrix [outputs, inputs] of TYPE, for products of many rows. Grid: (inputs / (8 * THREADS), outputs). Bytes: outputs * inputs * (bits / 8 + sizeof(TYPE)). Defines: FORMAT, TYPE.
#include "packed.cuh"
using stored_t = stored<TYPE>::type;

struct Params {
  const Packed* targets;
  stored_t* output;
  int target_count;
  int inputs;  // a multiple of 8
};
CHECK_PARAMS(Params);

KERNEL unpack(const __grid_constant__ Params p) {
  const int k = (blockIdx.x * THREADS + threadIdx.x) * 8, n = blockIdx.y;
  if (k >= p.inputs) return;
  const Packed target = p.targets[packed_of(p.targets, p.target_count, n)];
  float w[8];
  unpack8(target, n - target.first, k, p.inputs, w);
  stored_t v[8];
#pragma unroll
  for (int e = 0; e < 8; e++) v[e] = from_float<stored_t>(w[e]);
  *reinterpret_cast<uint4*>(p.output + (long long)n * p.inputs + k) = *reinterpret_cast<const uint4*>(v);
}
