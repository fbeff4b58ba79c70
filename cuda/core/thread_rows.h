// Arrays of a thread in the memory of the device, as the formulas of native/math that need some take them: get(i), set(i, x). Threads
// that are neighbours stand side by side.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/context.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

template <class T>
struct ThreadRows {
  T* p;
  int64_t step;
  __device__ __forceinline__ T get(int64_t i) const { return p[i * step]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { p[i * step] = x; }
};
template <class T>
struct GivenNumbers {
  const T* p;
  __device__ __forceinline__ T get(int64_t i) const { return p[i]; }
};

/** Grid-stride: the items of this thread, from its own to `count`. */
__device__ __forceinline__ int64_t thread_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64_t thread_count() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

/** sums[n] ← the sum of `cols` numbers of row n, a warp a row. */
template <class T>
__global__ void __launch_bounds__(block_threads) sum_rows(const T* values, int64_t rows, int64_t cols, Vector<double> sums) {
  const int64_t row = thread_index() / warp_threads;
  if (row >= rows) return;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  double sum = 0;
  for (int64_t c = lane; c < cols; c += warp_threads) sum += static_cast<double>(values[row * cols + c]);
  sum = warp_fold(sum, Sum{});
  if (lane == 0) *sums.at(row) = sum;
}

}  // namespace flow::cuda
