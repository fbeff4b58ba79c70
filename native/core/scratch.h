// Working memory of a thread, kept between calls: 64-byte aligned, grown when needed, freed with the thread.
#pragma once
#include <stddef.h>

namespace flow {

// slots 0–3 of gemm, 4–7 of the op that calls it: a callee never overwrites the memory of its caller.
inline constexpr int scratch_slots = 8;

// At least `bytes` bytes; the contents are whatever was left there. Throws std::bad_alloc, through the op up to the engine.
void* scratch(size_t bytes, int slot);

}  // namespace flow
