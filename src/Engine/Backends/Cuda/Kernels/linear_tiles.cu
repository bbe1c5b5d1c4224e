// output[r] = x[r] * W^T + bias by tensor cores, for many rows; x in the weights' type (convert_rows). Up to 8 matrices of one type, side by side.
// Grid: (outputs / TILE, rows / TILE); a block makes TILE x TILE outputs, a warp TILE / 2 rows x TILE / (warps / 2) columns of them, in steps of 32 inputs through a ring of STAGES stages.
// Accumulator: float, the inputs in order, so that a row's bits do not depend on the tile. Inputs are a multiple of 8, rows of W aligned to 16 bytes.
// Bytes: (rows + outputs) * inputs * 2 for each tile in the other direction. Defines: TYPE (f16 or bf16), TILE (64 or 128), STAGES.
#include "product.cuh"
#include "tiles.cuh"
using stored_t = stored<TYPE>::type;

struct Params {
  const stored_t* x;  // [rows, inputs]
  RowsView output;
  Target targets[MAX_TARGETS];
  int target_count;
  int inputs;
  int outputs;
  int rows;
};
CHECK_PARAMS(Params);

constexpr int kStep = 32, kPitch = kStep + 8;                    // the padding keeps ldmatrix free of bank conflicts
constexpr int kChunks = kStep / 8;                               // 16-byte chunks of a row and step
constexpr int kCopies = TILE * kChunks / THREADS;                // of a thread, for each operand
constexpr int kWarpRows = TILE / 2, kWarpColumns = TILE / (kWarps / 2);
constexpr int kRowTiles = kWarpRows / 16, kColumnTiles = kWarpColumns / 8;
constexpr int kOperand = TILE * kPitch;

extern __shared__ __align__(128) unsigned char ring[];

__device__ __forceinline__ int target_of(const Params& p, int n) {
  int t = 0;
  while (t + 1 < p.target_count && n >= p.targets[t + 1].first) t++;
  return t;
}

KERNEL linear_tiles(const __grid_constant__ Params p) {
  stored_t* shared = reinterpret_cast<stored_t*>(ring);
  const int first_row = blockIdx.y * TILE, first_column = blockIdx.x * TILE;
  const int chunk = threadIdx.x % kChunks * 8;

  // What lies beyond the edge is computed with the last row or column and not stored.
  const stored_t *x[kCopies], *w[kCopies];
#pragma unroll
  for (int c = 0; c < kCopies; c++) {
    const int line = threadIdx.x / kChunks + c * (THREADS / kChunks);
    x[c] = p.x + (long long)min(first_row + line, p.rows - 1) * p.inputs + chunk;
    const int n = min(first_column + line, p.outputs - 1), t = target_of(p, n);
    w[c] = (const stored_t*)p.targets[t].weights + (long long)(n - p.targets[t].first) * p.inputs + chunk;
  }

  const int steps = (p.inputs + kStep - 1) / kStep;
  auto fill = [&](int step) {
    if (step < steps) {
      stored_t* stage = shared + step % STAGES * 2 * kOperand;
      const bool valid = step * kStep + chunk < p.inputs;
#pragma unroll
      for (int c = 0; c < kCopies; c++) {
        const int line = threadIdx.x / kChunks + c * (THREADS / kChunks);
        copy16(stage + line * kPitch + chunk, valid ? x[c] + (long long)step * kStep : p.x, valid);
        copy16(stage + kOperand + line * kPitch + chunk, valid ? w[c] + (long long)step * kStep : p.x, valid);
      }
    }
    copies_commit();
  };

#pragma unroll
  for (int s = 0; s < STAGES - 1; s++) fill(s);
  float acc[kRowTiles][kColumnTiles][4] = {};
  const int lane = lane_id(), row = warp_id() % 2 * kWarpRows, column = warp_id() / 2 * kWarpColumns;
  for (int step = 0; step < steps; step++) {
    copies_wait<STAGES - 2>();
    __syncthreads();
    fill(step + STAGES - 1);
    const stored_t *a = shared + step % STAGES * 2 * kOperand, *b = a + kOperand;
#pragma unroll
    for (int k = 0; k < kStep; k += 16) {
      unsigned left[kRowTiles][4], right[kColumnTiles / 2][4];
#pragma unroll
      for (int i = 0; i < kRowTiles; i++) load_matrix4(left[i], a + (row + i * 16 + lane % 16) * kPitch + k + lane / 16 * 8);
#pragma unroll
      for (int j = 0; j < kColumnTiles / 2; j++) load_matrix4(right[j], b + (column + j * 16 + lane / 16 * 8 + lane % 8) * kPitch + k + lane / 8 % 2 * 8);
#pragma unroll
      for (int i = 0; i < kRowTiles; i++)
#pragma unroll
        for (int j = 0; j < kColumnTiles; j++) multiply(stored_t{}, acc[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
    }
  }

#pragma unroll
  for (int j = 0; j < kColumnTiles; j++)
#pragma unroll
    for (int side = 0; side < 2; side++) {
      const int n = first_column + column + j * 8 + lane % 4 * 2 + side;
      if (n >= p.outputs) continue;
      const Target& target = p.targets[target_of(p, n)];
      const float bias = target.bias == nullptr ? 0.0f : target.bias[n - target.first];
#pragma unroll
      for (int i = 0; i < kRowTiles; i++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int r = first_row + row + i * 16 + lane / 4 + half * 8;
          if (r < p.rows) row_of(p.output, r)[n] = acc[i][j][half * 2 + side] + bias;
        }
    }
}
