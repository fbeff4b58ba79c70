// Aligned blocks from the system, and the pool that reuses them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace flow {

// 64-byte aligned; large blocks are aligned and advised for huge pages. Throws std::bad_alloc.
void* aligned_block(size_t bytes);
void aligned_release(void* block);

// Free lists of blocks by size class (four classes an octave). One pool an environment: no locks.
class MemoryPool {
 public:
  ~MemoryPool();
  void* take(size_t bytes);
  void give(void* block, size_t bytes);
  void trim();

  size_t live_bytes() const { return live_; }
  size_t cached_bytes() const { return cached_; }
  size_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = live_; }

 private:
  std::vector<void*> free_[256];
  size_t live_ = 0, cached_ = 0, peak_ = 0;
};

}  // namespace flow
