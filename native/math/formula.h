// How a formula is declared: one source for the registers of a CPU and the threads of a GPU.
#pragma once

#if defined(__CUDACC__)
#define FLOW_FORMULA __host__ __device__ __forceinline__
#else
#define FLOW_FORMULA inline __attribute__((always_inline))
#endif
