// Turns the first 2 * half elements of every head of q and k in place and stores k and v in the token's page, each slab [page size][head dim] of KV, 16-bit types in the order of kv_order.cuh.
// qkv: [tokens, heads*d | kvHeads*d | kvHeads*d]. Grid: (tokens, shares of a token). Bytes: tokens * (qkv columns * 8 + kvHeads * d * 2 * sizeof(KV)).
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
  const int position = p.positions[blockIdx.x];
  long long page = 0;
  if (p.kv_heads > 0) page = p.tables[p.table_starts[sequence_of(p.row_starts, p.sequences, blockIdx.x)] + position / p.page_size];
  const float* keys = row + (long long)p.heads * p.head_dim;
  const float* values = keys + (long long)p.kv_heads * p.head_dim;
  auto place = [&](int head, int e) {
    return ((page * p.kv_heads + head) * p.page_size + position % p.page_size) * p.head_dim + (KV == TYPE_F32 ? e : kv_place(position, e, p.head_dim));
  };
  // Pairs that turn, then elements of keys that do not, then values.
  const int pairs = (p.heads + p.kv_heads) * p.half, rest = p.head_dim - 2 * p.half, still = p.kv_heads * rest;
  const int all = pairs + still + (p.values != nullptr ? p.kv_heads * p.head_dim : 0);
  for (int i = blockIdx.y * THREADS + threadIdx.x; i < all; i += gridDim.y * THREADS) {
    if (i < pairs) {
      const int head = i / p.half, pair = i % p.half;
      float* x = row + (long long)head * p.head_dim;
      const int first = p.neighbours ? 2 * pair : pair, second = p.neighbours ? 2 * pair + 1 : pair + p.half;
      const float a = x[first], b = x[second], cosine = turn[pair], sine = turn[p.half + pair];
      const float y = a * cosine - b * sine, z = b * cosine + a * sine;
      x[first] = y;
      x[second] = z;
      if (head >= p.heads) {
        p.keys[place(head - p.heads, first)] = from_float<kv_t>(y);
        p.keys[place(head - p.heads, second)] = from_float<kv_t>(z);
      }
    } else if (i < pairs + still) {
      const int head = (i - pairs) / rest, e = 2 * p.half + (i - pairs) % rest;
      p.keys[place(head, e)] = from_float<kv_t>(keys[head * p.head_dim + e]);
    } else {
      const int k = i - pairs - still;
      p.values[place(k / p.head_dim, k % p.head_dim)] = from_float<kv_t>(values[k]);
    }
  }
}
