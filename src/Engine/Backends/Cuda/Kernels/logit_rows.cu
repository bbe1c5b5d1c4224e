// What logit_parts has found, over whole rows: head (flags, lowest id of the largest logit or -1, the logit, number of candidates) and candidates (ids, logits; in no order).
// Grid: rows. Bytes: rows * parts * CANDIDATES * 8. Defines: PER (parts * CANDIDATES / THREADS at most), CANDIDATES.
#include "select.cuh"

struct Params {
  const int* settings;
  const int* parts;  // as logit_parts writes them
  int* heads;        // [rows][4]
  int* bodies;       // [rows][body_length]
  int count;         // parts of a row
  int body_length;
};
CHECK_PARAMS(Params);

KERNEL logit_rows(const __grid_constant__ Params p) {
  __shared__ int used;
  constexpr int kLength = 4 + 2 * CANDIDATES;
  const int* parts = p.parts + (long long)blockIdx.x * p.count * kLength;
  int* head = p.heads + 4 * blockIdx.x;
  int* body = p.bodies + (long long)blockIdx.x * p.body_length;
  // A part may be looked at by every thread: there are few.
  unsigned high = 0;
  int low = 0, flag = 0;
  for (int i = 0; i < p.count; i++) {
    const unsigned key = (unsigned)parts[i * kLength + 2];
    flag |= parts[i * kLength];
    if (key > high) { high = key; low = parts[i * kLength + 1]; }
  }
  if (threadIdx.x == 0) {
    head[0] = flag;
    head[1] = high == 0 ? -1 : low;
    head[2] = high == 0 ? __float_as_int(-INFINITY) : __float_as_int(value_of(high));
    head[3] = 0;
    used = 0;
  }
  if (p.settings[2 * blockIdx.x] == 0 || flag != 0 || high == 0) return;

  unsigned keys[PER];
  int ids[PER];
#pragma unroll
  for (int i = 0; i < PER; i++) {
    const int place = i * THREADS + threadIdx.x, part = place / CANDIDATES, slot = place % CANDIDATES;
    const bool there = part < p.count && slot < parts[part * kLength + 3];
    keys[i] = there ? (unsigned)parts[part * kLength + 4 + slot] : 0;
    ids[i] = there ? parts[part * kLength + 4 + CANDIDATES + slot] : 0;
  }
  __syncthreads();
  const unsigned chosen = select_largest(keys, ids, CANDIDATES);
#pragma unroll
  for (int i = 0; i < PER; i++)
    if ((chosen >> i) & 1) {
      const int slot = atomicAdd(&used, 1);
      body[slot] = ids[i];
      body[CANDIDATES + slot] = __float_as_int(value_of(keys[i]));
    }
  __syncthreads();
  if (threadIdx.x == 0) head[3] = used;
}
