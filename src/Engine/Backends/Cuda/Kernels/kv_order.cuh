// Order of 16-bit keys and values inside a page: [page][kvHead][token][head_dim] in runs of 16 tokens (slabs); within a token's row the chunk c of 8 elements lies where
// chunk c ^ kv_swizzle(token) would. Then 8 tokens' chunks c fall into 8 different banks of 16 bytes, and a plain copy of a slab into shared memory feeds ldmatrix without conflicts.
#pragma once

// Largest power of two, 8 at most, that divides the chunks of a row: chunks change places inside groups of that many.
__device__ __forceinline__ constexpr int kv_swizzle_group(int head_dim)
{
    return head_dim % 16 != 0 ? 1 : head_dim % 64 == 0 ? 8 : head_dim % 32 == 0 ? 4 : 2;
}

__device__ __forceinline__ constexpr int kv_swizzle(int token, int head_dim)
{
    return (token >> (kv_swizzle_group(head_dim) == 8 ? 0 : kv_swizzle_group(head_dim) == 4 ? 1 : 2)) & (kv_swizzle_group(head_dim) - 1);
}

// Where element e of the token lies in its row.
__device__ __forceinline__ constexpr int kv_place(int token, int e, int head_dim)
{
    return (((e >> 3) ^ kv_swizzle(token, head_dim)) << 3) | (e & 7);
}
