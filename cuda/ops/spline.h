// What spline and its gradient share: the arrays of a thread.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
#include "cuda/core/thread_rows.h"
// These come after the functions that they call.
#include "math/spline.h"
#include "ops/spline_operands.h"

namespace flow::cuda {

/** Blocks for the elements: no more than have their knots in 32 MiB. */
template <class T>
unsigned spline_blocks(int64_t elements, int64_t bins) {
  constexpr int64_t most_bytes = int64_t{32} << 20;
  const int64_t block_bytes = spline_arrays * (bins + 1) * block_threads * int64_t{sizeof(T)};
  return static_cast<unsigned>(max_of(1, min_of(blocks_for(max_of(1, elements)), most_bytes / block_bytes)));
}

/** An array of this thread, side by side with those of others: one pointer for all of them, and short numbers for the rest. */
template <class T>
struct KnotRows {
  T* memory;  // 32 MiB at most
  int first, step;
  __device__ __forceinline__ T get(int64_t i) const { return memory[first + static_cast<int>(i) * step]; }
  __device__ __forceinline__ void set(int64_t i, T x) const { memory[first + static_cast<int>(i) * step] = x; }
};

/** The arrays of this thread. */
template <class T>
__device__ __forceinline__ SplineRows<KnotRows<T>> spline_rows(T* memory, int64_t bins) {
  const int step = static_cast<int>(thread_count()), thread = static_cast<int>(thread_index()), size = static_cast<int>(bins + 1) * step;
  const auto part = [&](int k) { return KnotRows<T>{memory, thread + k * size, step}; };
  return {part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7), part(8), part(9)};
}

}  // namespace flow::cuda
