// A slab: the 16 tokens of a (page, KV head) in the order of kv_order.cuh. Needs HEAD_DIM, a multiple of 16.
#pragma once

#include "kv_order.cuh"

#define SLAB_TOKENS 16
#define SLAB_ROW_BYTES (HEAD_DIM * 2)
#define SLAB_BYTES (SLAB_TOKENS * SLAB_ROW_BYTES)
#define SLAB_ROW_CHUNKS (HEAD_DIM / 8)

// Byte offset of a 16-byte chunk in its slab.
__device__ __forceinline__ int slab_chunk_offset(int token, int chunk)
{
    return (token * SLAB_ROW_BYTES) + ((chunk ^ kv_swizzle(token, HEAD_DIM)) * 16);
}
