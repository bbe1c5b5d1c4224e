// The floor of a decode attention launch: the same bulk copies as paged_attention_decode into the same rings, no arithmetic, no output.
//
// Shapes   slabs [units]: numbers of slabs of SLAB_BYTES in keys and in values. Grid: CTAs with an equal run of units each; block WARPS * 32.
// Bytes    units * 2 * SLAB_BYTES read.
// Defines  HEAD_DIM, WARPS, STAGES. sm_90 and later.

#include "async.cuh"
#include "common.cuh"
#include "kv_slab.cuh"

struct StreamFloorParams
{
    const char* keys;
    const char* values;
    const int* slabs;
    int units;
    int reserved;
};

CHECK_PARAMS(StreamFloorParams);

extern "C" __global__ void __launch_bounds__(WARPS * 32, 1) stream_floor(const __grid_constant__ StreamFloorParams params)
{
#if __CUDA_ARCH__ >= 900
    extern __shared__ __align__(128) char shared[];
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    const unsigned barriers = shared_address(shared + (WARPS * STAGES * 2 * SLAB_BYTES));
    dependency_trigger();
    if (threadIdx.x < WARPS * STAGES * 2)
    {
        barrier_init(barriers + (threadIdx.x * 8), 1);
        barrier_init_fence();
    }
    __syncthreads();
    const int first = (int)((long long)params.units * blockIdx.x / gridDim.x), end = (int)((long long)params.units * (blockIdx.x + 1) / gridDim.x);
    const int count = max(0, (end - first - warp + WARPS - 1) / WARPS);
    const unsigned ring = shared_address(shared) + (warp * STAGES * 2 * SLAB_BYTES), ringBarriers = barriers + (warp * STAGES * 16);
    const unsigned long long policy = policy_evict_first();
    auto issue = [&](int i, int half)
    {
        const int slot = i % STAGES;
        const unsigned barrier = ringBarriers + (((slot * 2) + half) * 8);
        const long long slab = params.slabs[first + warp + (WARPS * i)];
        barrier_expect(barrier, SLAB_BYTES);
        bulk_copy(ring + (((slot * 2) + half) * SLAB_BYTES), (half ? params.values : params.keys) + (slab * SLAB_BYTES), SLAB_BYTES, barrier, policy);
    };
    if (lane == 0)
    {
        for (int i = 0; i < min(STAGES, count); i++)
        {
            issue(i, 0);
            issue(i, 1);
        }
        dependency_wait();
        for (int i = 0; i < count; i++)
        {
            for (int half = 0; half < 2; half++)
            {
                barrier_wait(ringBarriers + ((((i % STAGES) * 2) + half) * 8), (i / STAGES) & 1);
                if (i + STAGES < count)
                {
                    issue(i + STAGES, half);
                }
            }
        }
    }
    __syncthreads();
#endif
}
