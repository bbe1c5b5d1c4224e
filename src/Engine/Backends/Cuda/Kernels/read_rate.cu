// The yardstick of everything that is bound by memory: a plain read, nothing else.
//
//   sink = sum of all words (never written, but the compiler cannot know)
//
// Shapes   data [count] 16-byte words. Grid: any; block THREADS; each thread reads every (grid * THREADS)-th word, 8 under way.
// Bytes    16 * count read.

#include "common.cuh"

struct ReadRateParams
{
    const uint4* data;
    long long count;
    unsigned* sink;
};

CHECK_PARAMS(ReadRateParams);

KERNEL read_rate(const __grid_constant__ ReadRateParams params)
{
    const long long step = (long long)gridDim.x * THREADS;
    unsigned sum = 0;
    long long i = ((long long)blockIdx.x * THREADS) + threadIdx.x;
    for (; i + (7 * step) < params.count; i += 8 * step)
    {
        uint4 v[8];
#pragma unroll
        for (int k = 0; k < 8; k++)
        {
            v[k] = __ldcs(params.data + i + (k * step));
        }
#pragma unroll
        for (int k = 0; k < 8; k++)
        {
            sum += v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
        }
    }
    for (; i < params.count; i += step)
    {
        const uint4 v = params.data[i];
        sum += v.x ^ v.y ^ v.z ^ v.w;
    }
    if (sum == 0x12345678u)
    {
        *params.sink = sum;
    }
}
