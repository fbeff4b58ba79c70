// Index operands. Their values lie on the device, where no check may wait for the host: what an index outside of its range would read is
// NaN instead, and what it would write is left out.
#pragma once
#include "cuda/core/context.h"
#include "cuda/core/pack.h"

namespace flow::cuda {

/** indices: a contiguous int32 vector. */
inline bool check_indices(const Call& call, const Operand& indices) {
  FLOW_CHECK(call, indices.dtype == DType::i32, "indices: expected int32, got %s", name_of(indices.dtype));
  FLOW_CHECK(call, indices.contiguous() || indices.cols == 1, "indices: expected a vector, got a strided matrix");
  FLOW_CHECK(call, indices.contiguous(), "indices: expected contiguous memory, got a strided column: copy it first");
  return true;
}

__device__ __forceinline__ bool is_index(int64_t i, int64_t extent) { return i >= 0 && i < extent; }

/** Where an index vector has each value, in order: first[v] and then next[k] until −1. */
struct Chains {
  const int32_t* first;
  const int32_t* next;
};

/** A thread a value: it walks the indices from the last to the first, a tile of them at a time in shared memory. */
static __global__ void __launch_bounds__(block_threads) link_chains(const int32_t* indices, int64_t count, int64_t extent, int32_t* first,
                                                                    int32_t* next) {
  FLOW_SHARED(memory);
  int32_t* tile = reinterpret_cast<int32_t*>(memory);  // [block_threads]
  const int64_t value = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  int32_t last = -1;
  for (int64_t start = (count - 1) / block_threads * block_threads; start >= 0; start -= block_threads) {
    const int64_t own = start + threadIdx.x;
    tile[threadIdx.x] = own < count ? indices[own] : -1;
    __syncthreads();
    if (value < extent) {
      for (int k = block_threads - 1; k >= 0; --k) {
        if (tile[k] != value) continue;
        next[start + k] = last;
        last = static_cast<int32_t>(start + k);
      }
    }
    __syncthreads();
  }
  if (value < extent) first[value] = last;
}

/**
 * The chains of the values 0 … extent − 1, in the workspace; false after call.fail(). Takes extent·count comparisons, 256 an
 * iteration of a block: some microseconds for thousands of both.
 */
inline bool make_chains(const Call& call, const Operand& indices, int64_t extent, Chains& chains) {
  const int64_t count = indices.count();
  FLOW_CHECK(call, count < (int64_t{1} << 31), "indices: expected fewer than 2^31, got %lld", ll(count));
  int32_t* first = static_cast<int32_t*>(workspace(static_cast<size_t>(max_of(1, extent + count)) * sizeof(int32_t)));
  if (!first) return call.fail("the GPU has no memory for the order of %lld indices", ll(count));
  chains = {first, first + extent};
  if (extent == 0) return true;
  FLOW_LAUNCH(link_chains, static_cast<unsigned>(ceil_div(extent, block_threads)), block_threads, block_threads * sizeof(int32_t),
              indices.as<const int32_t>(), count, extent, first, first + extent);
  return launched(call);
}

}  // namespace flow::cuda
