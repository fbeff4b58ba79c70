// Values of the threads of a warp or block folded into one, in a fixed order: results are the same bit for bit at each run.
#pragma once
#include <cuda_runtime.h>

#include "math/formula.h"

namespace flow::cuda {

inline constexpr unsigned full_warp = 0xffffffffu;
inline constexpr int warp_threads = 32;

/** The warp's values folded by f(a, b), in every lane. */
template <class T, class F>
__device__ __forceinline__ T warp_fold(T value, const F& f) {
#pragma unroll
  for (int d = warp_threads / 2; d > 0; d /= 2) value = f(value, __shfl_xor_sync(full_warp, value, d));
  return value;
}

/** Bytes of shared memory that block_fold needs. */
template <class T>
constexpr size_t fold_bytes(int threads) {
  return static_cast<size_t>(threads / warp_threads) * sizeof(T);
}

/**
 * The block's values folded, in every thread. blockDim.x is a multiple of 32, all threads come; `shared` has fold_bytes and may be
 * used again after it returned.
 */
template <class T, class F>
__device__ __forceinline__ T block_fold(T value, const F& f, T* shared) {
  const int warp = static_cast<int>(threadIdx.x) / warp_threads;
  const int warps = static_cast<int>(blockDim.x) / warp_threads;
  value = warp_fold(value, f);
  if (threadIdx.x % warp_threads == 0) shared[warp] = value;
  __syncthreads();
  T total = shared[0];
  for (int w = 1; w < warps; ++w) total = f(total, shared[w]);
  __syncthreads();
  return total;
}

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/** The larger one; NaN where either is. */
struct MaxNan {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};

}  // namespace flow::cuda
