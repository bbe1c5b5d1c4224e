// Weights in few bits, as PackedUpload.cs lays them out: weight[n][k] = (code - zero) * scale, the difference exact and the product rounded once to float. FORMAT: 0 four bits, 1 E2M1, 2 E4M3.
#pragma once
#include "common.cuh"
#include "bf16.cuh"

struct Packed {
  const unsigned char* codes;     // [outputs][pitch]: inputs in order, four bits low half first, or bytes
  const float* scales;            // [outputs][groups]
  const unsigned char* zeros;     // [outputs][groups], or null: `zero` is all of them
  const int* group_of_column;     // [inputs], or null: consecutive groups of group_size
  const float* bias;              // [outputs], or null
  long long pitch;                // a multiple of 16
  int groups;
  int group_size;
  int zero;
  int first;                      // column of its first output
  int outputs;
  int unused;
};

// What a code is worth before its scale. Tiny numbers times a power of two: so subnormal codes need no case of their own.
__device__ __forceinline__ float code_value(unsigned code, int zero) {
#if FORMAT == 0
  return (float)((int)code - zero);
#elif FORMAT == 1
  return __uint_as_float((code & 8) << 28 | (code & 7) << 22) * __uint_as_float(253u << 23);
#else
  return (code & 0x7f) == 0x7f ? __uint_as_float(0x7fc00000u) : __uint_as_float((code & 0x80) << 24 | (code & 0x7f) << 20) * __uint_as_float(247u << 23);
#endif
}

// Weights k .. k + 8 of a row, 0 beyond its end; k is a multiple of 8.
__device__ __forceinline__ void unpack8(const Packed& p, int row, int k, int inputs, float (&w)[8]) {
  const unsigned char* codes = p.codes + row * p.pitch;
  const float* scales = p.scales + (long long)row * p.groups;
  const unsigned char* zeros = p.zeros == nullptr ? nullptr : p.zeros + (long long)row * p.groups;
#if FORMAT == 2
  const uint2 bits = *reinterpret_cast<const uint2*>(codes + k);
#else
  const unsigned bits = *reinterpret_cast<const unsigned*>(codes + k / 2);
#endif
  const bool even = p.group_of_column == nullptr && p.group_size % 8 == 0;
  int group = even ? k / p.group_size : 0;
  float scale = even ? scales[group] : 0.0f;
  int zero = even && zeros != nullptr ? zeros[group] : p.zero;
#pragma unroll
  for (int e = 0; e < 8; e++) {
    if (!even && k + e < inputs) {
      group = p.group_of_column == nullptr ? (k + e) / p.group_size : p.group_of_column[k + e];
      scale = scales[group];
      if (zeros != nullptr) zero = zeros[group];
    }
#if FORMAT == 2
    const unsigned code = ((e < 4 ? bits.x : bits.y) >> (8 * (e & 3))) & 0xff;
#else
    const unsigned code = (bits >> (4 * e)) & 15;
#endif
    w[e] = k + e < inputs ? code_value(code, zero) * scale : 0.0f;
  }
}

__device__ __forceinline__ int packed_of(const Packed* targets, int count, int n) {
  int t = 0;
  while (t + 1 < count && n >= targets[t + 1].first) t++;
  return t;
}
