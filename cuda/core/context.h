// What the launchers ask of the environment that they run in. What it holds: plugin.cc.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace flow::cuda {

struct Blas;
Blas* current_blas();

inline constexpr int64_t block_counters = 4096;
// On the device, all zero between launches; see last_block.h.
unsigned* counters();

// Memory of the device that one op uses between its launches; null where there is none. Valid until the next call: work of later ops
// comes after it in the stream.
void* workspace(size_t bytes);

int multiprocessors();
// The most shared memory that a block may have.
size_t shared_bytes();

}  // namespace flow::cuda
