// The last of some blocks to finish goes on alone with what all of them wrote: a second step of a sum without a second launch. Which
// block that is differs from run to run, what it does not: it takes the parts in their order.
#pragma once
#include "cuda/core/context.h"

namespace flow::cuda {

/** Of shared memory, for is_last_block. */
inline constexpr size_t last_block_bytes = 16;

/**
 * Whether the block is the last of `blocks` that come here with this counter; all threads of a block come. What the others wrote to
 * global memory before is then there; read it by `fresh`. Puts the counter back to zero.
 */
__device__ __forceinline__ bool is_last_block(unsigned* counter, unsigned blocks, char* shared) {
  int* last = reinterpret_cast<int*>(shared);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    *last = atomicAdd(counter, 1u) == blocks - 1;
    if (*last) *counter = 0;
  }
  __syncthreads();
  const bool is_last = *last != 0;
  if (is_last) __threadfence();
  __syncthreads();  // `shared` may be used again
  return is_last;
}

/** What another block has written in this launch: from L2, where all multiprocessors see the same. */
template <class T>
__device__ __forceinline__ T fresh(const T* p) {
  return __ldcg(p);
}

}  // namespace flow::cuda
