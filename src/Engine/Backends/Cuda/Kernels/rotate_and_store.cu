// Turns the first 2 * half elements of every head of q and k in place and stores k and v in the token's page, each slab [page size][head dim] of KV, 16-bit types in the order of kv_order.cuh.
// qkv: [tokens, heads*d | kvHeads*d | kvHeads*d]. Grid: one block a token. Bytes: tokens * (qkv columns * 8 + kvHeads * d * 2 * sizeof(KV)).
// Defines: KV (type of the pages).
#include "common.cuh"
#include "dependency.cuh"
#include "bf16.cuh"
#include "kv_order.cuh"
using kv_t = stored<KV>::type;

struct Params {
  RowsView qkv;
  RowsView rotary;  // [tokens, half | half]: cosines, sines
  kv_t* keys;
  kv_t* values;     // null: values lie in the keys, and qkv has no third part
  const int* positions;
  const int* row_starts;
  const int* table_starts;
  const int* tables;
  int sequences;
  int heads;
  int kv_heads;
  int head_dim;
  int half;
  int neighbours;   // 1: element 2i with 2i + 1; 0: i with i + half
  int page_size;
  int unused;
};
CHECK_PARAMS(Params);

KERNEL rotate_and_store(const __grid_constant__ Params p) {
  dependency_begin();
  float* row = row_of(p.qkv, blockIdx.x);
  const float* turn = row_of(p.rotary, blockIdx.x);
  for (int i = threadIdx.x; i < (p.heads + p.kv_heads) * p.half; i += THREADS) {
    const int head = i / p.half, pair = i % p.half;
    float* x = row + (long long)head * p.head_dim;
    const int first = p.neighbours ? 2 * pair : pair, second = p.neighbours ? 2 * pair + 1 : pair + p.half;
    const float a = x[first], b = x[second], cosine = turn[pair], sine = turn[p.half + pair];
    x[first] = a * cosine - b * sine;
    x[second] = b * cosine + a * sine;
  }
  if (p.kv_heads == 0) return;
  __syncthreads();
  const int position = p.positions[blockIdx.x];
  const int sequence = sequence_of(p.row_starts, p.sequences, blockIdx.x);
  const long long page = p.tables[p.table_starts[sequence] + position / p.page_size];
  const float* keys = row + (long long)p.heads * p.head_dim;
  const float* values = keys + (long long)p.kv_heads * p.head_dim;
  for (int i = threadIdx.x; i < p.kv_heads * p.head_dim; i += THREADS) {
    const int head = i / p.head_dim, e = i % p.head_dim;
    const long long at = ((page * p.kv_heads + head) * p.page_size + position % p.page_size) * p.head_dim + (KV == TYPE_F32 ? e : kv_place(position, e, p.head_dim));
    p.keys[at] = from_float<kv_t>(keys[i]);
    if (p.values != nullptr) p.values[at] = from_float<kv_t>(values[i]);
  }
}
