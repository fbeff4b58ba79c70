// Launches. The same source is compiled by nvcc and, for the host emulation, by a host compiler, which has no <<<>>>.
#pragma once
#include <cuda_runtime.h>

#include "core/op.h"

namespace flow::cuda {

// FLOW_LAUNCH(kernel, grid, block, shared bytes, arguments…) on the stream of the current context.
#if defined(FLOW_CUDA_EMULATION)
#define FLOW_LAUNCH(kernel, grid, block, shared, ...) \
  emulated_launch(#kernel, kernel, grid, block, shared, ::flow::cuda::current_stream(), __VA_ARGS__)
// The dynamic shared memory of a block, 16-byte aligned. Kernels have no other.
#define FLOW_SHARED(name) char* name = static_cast<char*>(emulation::shared_memory())
#else
#define FLOW_LAUNCH(kernel, grid, block, shared, ...)                                    \
  do {                                                                                   \
    ::flow::cuda::count_launch();                                                        \
    kernel<<<grid, block, shared, ::flow::cuda::current_stream()>>>(__VA_ARGS__);        \
  } while (0)
#define FLOW_SHARED(name)                                         \
  extern __shared__ __align__(16) char flow_shared_memory[]; \
  char* name = flow_shared_memory
#endif

cudaStream_t current_stream();
void count_launch();
// What a launch left behind: false after call.fail() with CUDA's words.
bool launched(const Call& call);

inline constexpr int block_threads = 256;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

// Blocks for `items` items that threads take in turn (grid-stride loops): enough to fill the device, never none.
unsigned blocks_for(int64_t items, int64_t items_per_block = block_threads);

}  // namespace flow::cuda
