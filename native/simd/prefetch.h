// Lines asked for ahead of their use. What matters on few cores that exchange lines slowly: a line that another core has read
// must be taken from it before it can be written, and a store waits for that; asked for early, many are under way at once.
// Measured on two cores: Adam, whose weights both cores have read, 340 → 225 µs for 790,000 parameters.
#pragma once

#include "isa.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t cache_line = 64;

// The line of `address`, which may lie beyond the array, for this core alone.
FLOW_INLINE void prefetch_to_write(uintptr_t address) {
#if defined(FLOW_X86)
  // Compilers make prefetchw of the builtin only for CPUs that are named; a CPU without it does nothing.
  asm volatile("prefetchw (%0)" ::"r"(address));
#else
  __builtin_prefetch(reinterpret_cast<const void*>(address), 1);
#endif
}

template <class T>
FLOW_INLINE void prefetch_to_write(const T* p, int64_t elements) {
  const uintptr_t start = reinterpret_cast<uintptr_t>(p);
  for (int64_t at = 0; at < elements * static_cast<int64_t>(sizeof(T)); at += cache_line) prefetch_to_write(start + static_cast<uintptr_t>(at));
}

template <class T>
FLOW_INLINE void prefetch_to_read(const T* p, int64_t elements) {
  const char* start = reinterpret_cast<const char*>(p);
  for (int64_t at = 0; at < elements * static_cast<int64_t>(sizeof(T)); at += cache_line) __builtin_prefetch(start + at, 0, 3);
}

}  // namespace flow::FLOW_ISA
