// Layout of KV pages: keys and values each [page][kvHead][16 tokens][HEAD_DIM], 16-bit elements. The 16 tokens of a (page, head) are a slab.
// Inside a slab the 16-byte chunk c of token t lies where chunk c ^ slab_swizzle(t) would: then 8 tokens' chunks c fall into 8 different banks of 16 bytes,
// and a plain copy of the slab into shared memory feeds ldmatrix without conflicts.
#pragma once

#define SLAB_TOKENS 16
#define SLAB_ROW_BYTES (HEAD_DIM * 2)
#define SLAB_BYTES (SLAB_TOKENS * SLAB_ROW_BYTES)
#define SLAB_ROW_CHUNKS (HEAD_DIM / 8)

// Largest power of two that divides the chunks of a row, 8 at most: swizzling stays inside groups of that many.
#define SLAB_SWIZZLE_GROUP ((SLAB_ROW_CHUNKS & 7) == 0 ? 8 : (SLAB_ROW_CHUNKS & 3) == 0 ? 4 : (SLAB_ROW_CHUNKS & 1) == 0 ? 2 : 1)
#define SLAB_SWIZZLE_SHIFT (SLAB_SWIZZLE_GROUP == 8 ? 0 : SLAB_SWIZZLE_GROUP == 4 ? 1 : SLAB_SWIZZLE_GROUP == 2 ? 2 : 3)

__device__ __forceinline__ int slab_swizzle(int token)
{
    return (token >> SLAB_SWIZZLE_SHIFT) & (SLAB_SWIZZLE_GROUP - 1);
}

// Byte offset of a 16-byte chunk in its slab.
__device__ __forceinline__ int slab_chunk_offset(int token, int chunk)
{
    return (token * SLAB_ROW_BYTES) + ((chunk ^ slab_swizzle(token)) * 16);
}
