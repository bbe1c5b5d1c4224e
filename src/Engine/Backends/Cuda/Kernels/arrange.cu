// A counting sort of the tokens' choices by expert, which keeps tokens in order. In: tokens = expert of each choice. Out: starts of the experts, the place of each choice, the token at each place.
// Grid: one block. Bytes: count * 4 * experts, out of the caches.
#include "common.cuh"

struct Params {
  int* tokens;
  int* places;
  int* starts;  // [experts + 1]
  int count;    // tokens * chosen
  int experts;
  int chosen;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL arrange(const __grid_constant__ Params p) {
  for (int e = threadIdx.x; e < p.experts; e += THREADS) {
    int mine = 0;
    for (int i = 0; i < p.count; i++) mine += p.tokens[i] == e;
    p.starts[e + 1] = mine;
  }
  if (threadIdx.x == 0) p.starts[0] = 0;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int e = 0; e < p.experts; e++) p.starts[e + 1] += p.starts[e];
  __syncthreads();
  for (int e = threadIdx.x; e < p.experts; e += THREADS) {
    int place = p.starts[e];
    for (int i = 0; i < p.count; i++)
      if (p.tokens[i] == e) p.places[i] = place++;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < p.count; i += THREADS) p.tokens[p.places[i]] = i / p.chosen;
}
