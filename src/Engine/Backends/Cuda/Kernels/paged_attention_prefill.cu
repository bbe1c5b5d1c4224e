// output[t, h] = softmax(cap(q . K * scale)) V over the token's sequence up to itself, for sequences with many rows, by tensor cores; every option of the plain form but values inside keys.
// Grid: (heads, tiles): a tile is up to QUERIES rows of one sequence, tiles of all sequences one after the other, the last ones first; blocks beyond the last tile are idle. A warp has ROW_TILES times 16 rows, which share what it reads of keys and values.
// Keys and values come in pieces of PIECE tokens, at multiples of it, through two stages of shared memory (cp.async), slabs as they lie in the pages (kv_order.cuh), so that ldmatrix meets no bank conflict.
// q and the weights of the values are rounded to the pages' type; scores, sums and outputs are float. A row's arithmetic depends on its own position alone: the same bits in any batch and chunk.
// Bytes: (context * d * 2) * 2 for each head and tile, from L2. Defines: HEAD_DIM (a multiple of 16, 256 at most), ELEMENT_F16, SOFT_CAP, PIECE, ROW_TILES (1 or 2).
#include "common.cuh"
#include "tiles.cuh"
#include "mma.cuh"
#include "kv_order.cuh"

struct Params {
  RowsView q;
  RowsView output;
  const unsigned char* keys;
  const unsigned char* values;
  const int* positions;
  const int* row_starts;
  const int* table_starts;
  const int* tables;
  const float* sinks;  // [heads], or null
  int sequences;
  int group;           // query heads of a KV head
  int kv_heads;
  int page_size;       // a multiple of 16
  int window;          // 0: all
  int growth_length;
  float growth_beta;
  float scale;
  float soft_cap;
  int only_several;    // 1: sequences with one row are left to the decode kernel
};
CHECK_PARAMS(Params);

constexpr int kWarpRows = 16 * ROW_TILES;
constexpr int kQueries = kWarps * kWarpRows;
constexpr int kRowChunks = HEAD_DIM / 8;  // of 16 bytes
constexpr int kRowBytes = HEAD_DIM * 2;
constexpr int kPieceBytes = PIECE * kRowBytes;
constexpr int kSteps = HEAD_DIM / 16;
constexpr int kScoreTiles = PIECE / 8;
constexpr bool kKeepQueries = HEAD_DIM <= 128 && ROW_TILES == 1;
constexpr float kLog2E = 1.4426950408889634f;

extern __shared__ __align__(128) unsigned char memory[];  // queries, then two stages of keys and values

__device__ __forceinline__ unsigned place(int row, int chunk) { return row * kRowBytes + ((chunk ^ kv_swizzle(row & 15, HEAD_DIM)) * 16); }

__device__ __forceinline__ float exp2_of(float v) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(v));
  return result;
}

// The sequence of a tile and the tile's number in it; a sequence below 0 where there is no such tile.
__device__ __forceinline__ void find_tile(const Params& p, int wanted, int& sequence, int& tile) {
  int before = 0;
  for (int base = 0; base < p.sequences; base += 32) {
    const int s = base + lane_id();
    const int rows = s < p.sequences ? p.row_starts[s + 1] - p.row_starts[s] : 0;
    const int mine = p.only_several && rows == 1 ? 0 : (rows + kQueries - 1) / kQueries;
    int sum = mine;
#pragma unroll
    for (int offset = 1; offset < 32; offset <<= 1) {
      const int other = __shfl_up_sync(0xffffffffu, sum, offset);
      if (lane_id() >= offset) sum += other;
    }
    const unsigned beyond = __ballot_sync(0xffffffffu, before + sum > wanted);
    if (beyond != 0) {
      const int lane = __ffs(beyond) - 1;
      sequence = base + lane;
      tile = wanted - before - __shfl_sync(0xffffffffu, sum - mine, lane);
      return;
    }
    before += __shfl_sync(0xffffffffu, sum, 31);
  }
  sequence = -1;
  tile = 0;
}

KERNEL paged_attention_prefill(const __grid_constant__ Params p) {
  const int head = blockIdx.x, kv_head = head / p.group, lane = lane_id(), warp = warp_id();
  int sequence, tile;
  find_tile(p, gridDim.y - 1 - blockIdx.y, sequence, tile);
  if (sequence < 0) return;
  const int first_row = p.row_starts[sequence] + tile * kQueries;
  const int rows = min(kQueries, p.row_starts[sequence + 1] - first_row);
  const int first = p.positions[first_row];
  const int from = p.window == 0 ? 0 : max(0, first + 1 - p.window), until = first + rows;
  const int* table = p.tables + p.table_starts[sequence];
  const unsigned shared_q = shared_address(memory), stages = shared_q + kQueries * kRowBytes;

  auto load = [&](int piece, int stage) {
    const int base = piece * PIECE;
    unsigned char* to = memory + kQueries * kRowBytes + stage * 2 * kPieceBytes;
    constexpr int kSlabChunks = 16 * kRowChunks;
#pragma unroll
    for (int slab = 0; slab < PIECE / 16; slab++) {
      const int token = base + slab * 16;
      const bool there = token < until && token + 16 > from;  // no other page need exist
      long long at = 0;
      if (there) at = (((long long)table[token / p.page_size] * p.kv_heads + kv_head) * p.page_size + token % p.page_size) * kRowBytes;
      for (int c = threadIdx.x; c < kSlabChunks; c += THREADS) {
        const bool valid = there && token + c / kRowChunks < until;
        const int offset = (slab * kSlabChunks + c) * 16;
        copy16(to + offset, p.keys + at + (valid ? c * 16 : 0), valid);
        copy16(to + kPieceBytes + offset, p.values + at + (valid ? c * 16 : 0), valid);
      }
    }
    copies_commit();
  };

  const int first_piece = from / PIECE, pieces = (until + PIECE - 1) / PIECE;
  load(first_piece, 0);

  for (int i = threadIdx.x; i < kQueries * kRowChunks; i += THREADS) {
    const int row = i / kRowChunks, chunk = i % kRowChunks;
    const float* q = row_of(p.q, first_row + min(row, rows - 1)) + (long long)head * HEAD_DIM + chunk * 8;
    float v[8];
    load8(q, v);
    *reinterpret_cast<uint4*>(memory + place(row, chunk)) = make_uint4(pack_elements(v[0], v[1]), pack_elements(v[2], v[3]), pack_elements(v[4], v[5]), pack_elements(v[6], v[7]));
  }
  __syncthreads();
  unsigned queries[kKeepQueries ? kSteps : 1][4];
  const int warp_row = warp * kWarpRows, q_row = warp_row + (lane & 15);
  if constexpr (kKeepQueries) {
#pragma unroll
    for (int k = 0; k < kSteps; k++) load_matrices(shared_q + place(q_row, 2 * k + (lane >> 4)), queries[k]);
  }

  // A lane has two rows of each 16: lane / 4 and 8 more.
  float scale[ROW_TILES][2], high[ROW_TILES][2], sum[ROW_TILES][2];
  const float sink = p.sinks == nullptr ? -INFINITY : p.sinks[head] * kLog2E;
  const int my_position = first + warp_row + lane / 4;
#pragma unroll
  for (int r = 0; r < ROW_TILES; r++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      const int position = my_position + r * 16 + h * 8;
      const float growth = p.growth_beta == 0 ? 1.0f : (float)(1.0 + p.growth_beta * log(1.0 + position / p.growth_length));
      scale[r][h] = SOFT_CAP ? p.scale * growth / p.soft_cap : p.scale * growth * kLog2E;
      high[r][h] = sink;
      sum[r][h] = 0;
    }
  float acc[ROW_TILES][HEAD_DIM / 8][4] = {};

  for (int piece = first_piece; piece < pieces; piece++) {
    const int stage = (piece - first_piece) & 1, base = piece * PIECE;
    copies_wait<0>();
    __syncthreads();
    if (piece + 1 < pieces) load(piece + 1, stage ^ 1);
    if (base > first + warp_row + kWarpRows - 1) continue;  // all of it comes after this warp's rows
    const unsigned keys = stages + stage * 2 * kPieceBytes, values = keys + kPieceBytes;

    float scores[ROW_TILES][kScoreTiles][4] = {};
#pragma unroll
    for (int k = 0; k < kSteps; k++) {
      unsigned a[ROW_TILES][4];
      if constexpr (kKeepQueries) {
#pragma unroll
        for (int i = 0; i < 4; i++) a[0][i] = queries[k][i];
      } else {
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++) load_matrices(shared_q + place(q_row + r * 16, 2 * k + (lane >> 4)), a[r]);
      }
#pragma unroll
      for (int j = 0; j < kScoreTiles / 2; j++) {
        unsigned b[4];
        load_matrices(keys + place(j * 16 + (lane & 7) + ((lane >> 4) << 3), 2 * k + ((lane >> 3) & 1)), b);
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++) {
          multiply_add(scores[r][2 * j], a[r], b[0], b[1]);
          multiply_add(scores[r][2 * j + 1], a[r], b[2], b[3]);
        }
      }
    }

    const bool masked = base + PIECE > first + warp_row + 1 || (p.window != 0 && base < first + warp_row + kWarpRows - p.window);
    unsigned weights[ROW_TILES][kScoreTiles][2];
#pragma unroll
    for (int r = 0; r < ROW_TILES; r++) {
      float highest[2] = {high[r][0], high[r][1]};
#pragma unroll
      for (int j = 0; j < kScoreTiles; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float s = scores[r][j][e] * scale[r][e >> 1];
          if (SOFT_CAP) s = tanhf(s) * (p.soft_cap * kLog2E);
          scores[r][j][e] = s;
        }
      if (masked) {
#pragma unroll
        for (int j = 0; j < kScoreTiles; j++)
#pragma unroll
          for (int e = 0; e < 4; e++) {
            const int token = base + j * 8 + lane % 4 * 2 + (e & 1), position = my_position + r * 16 + (e >> 1) * 8;
            if (token > position || (p.window != 0 && token + p.window <= position)) scores[r][j][e] = -INFINITY;
          }
      }
#pragma unroll
      for (int j = 0; j < kScoreTiles; j++)
#pragma unroll
        for (int e = 0; e < 4; e++) highest[e >> 1] = fmaxf(highest[e >> 1], scores[r][j][e]);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        highest[h] = fmaxf(highest[h], __shfl_xor_sync(0xffffffffu, highest[h], 1));
        highest[h] = fmaxf(highest[h], __shfl_xor_sync(0xffffffffu, highest[h], 2));
        const float shrink = highest[h] == -INFINITY ? 1.0f : exp2_of(high[r][h] - highest[h]);
        high[r][h] = highest[h];
        sum[r][h] *= shrink;
#pragma unroll
        for (int j = 0; j < HEAD_DIM / 8; j++) {
          acc[r][j][2 * h] *= shrink;
          acc[r][j][2 * h + 1] *= shrink;
        }
        if (highest[h] == -INFINITY) highest[h] = 0;  // nothing seen yet: all weights are 0
      }
#pragma unroll
      for (int j = 0; j < kScoreTiles; j++) {
        float w[4];
#pragma unroll
        for (int e = 0; e < 4; e++) {
          w[e] = exp2_of(scores[r][j][e] - highest[e >> 1]);
          // A lane's own columns; the four lanes of a row meet at the end.
          sum[r][e >> 1] += w[e];
        }
        weights[r][j][0] = pack_elements(w[0], w[1]);
        weights[r][j][1] = pack_elements(w[2], w[3]);
      }
    }
#pragma unroll
    for (int t = 0; t < PIECE / 16; t++)
#pragma unroll
      for (int j = 0; j < HEAD_DIM / 16; j++) {
        unsigned b[4];
        load_matrices_transposed(values + place(t * 16 + (lane & 15), 2 * j + (lane >> 4)), b);
#pragma unroll
        for (int r = 0; r < ROW_TILES; r++) {
          const unsigned a[4] = {weights[r][2 * t][0], weights[r][2 * t][1], weights[r][2 * t + 1][0], weights[r][2 * t + 1][1]};
          multiply_add(acc[r][2 * j], a, b[0], b[1]);
          multiply_add(acc[r][2 * j + 1], a, b[2], b[3]);
        }
      }
  }

#pragma unroll
  for (int r = 0; r < ROW_TILES; r++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float total = sum[r][h];
      total += __shfl_xor_sync(0xffffffffu, total, 1);
      total += __shfl_xor_sync(0xffffffffu, total, 2);
      if (p.sinks != nullptr) total += exp2_of(sink - high[r][h]);
      const float factor = 1.0f / total;
      const int row = warp_row + r * 16 + lane / 4 + h * 8;
      if (row < rows) {
        float* to = row_of(p.output, first_row + row) + (long long)head * HEAD_DIM + lane % 4 * 2;
#pragma unroll
        for (int j = 0; j < HEAD_DIM / 8; j++) {
          to[j * 8] = acc[r][j][2 * h] * factor;
          to[j * 8 + 1] = acc[r][j][2 * h + 1] * factor;
        }
      }
    }
}
