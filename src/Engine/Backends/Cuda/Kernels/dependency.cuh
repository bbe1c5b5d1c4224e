// Programmatic dependent launch: a kernel begins before the one in front of it has ended, and waits itself where it needs its results.
#pragma once

#if __CUDA_ARCH__ >= 900

// The kernels after this one in the chain may start (their part before dependency_wait).
__device__ __forceinline__ void dependency_trigger()
{
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

// Everything before this kernel is complete and visible. Without a programmatic launch: nothing.
__device__ __forceinline__ void dependency_wait()
{
    asm volatile("griddepcontrol.wait;" ::: "memory");
}

#else

__device__ __forceinline__ void dependency_trigger() {}
__device__ __forceinline__ void dependency_wait() {}

#endif

// For kernels that do nothing before they wait: what is saved is their start.
__device__ __forceinline__ void dependency_begin()
{
    dependency_trigger();
    dependency_wait();
}
