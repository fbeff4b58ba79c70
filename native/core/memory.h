// Aligned blocks from the system, and the pool that reuses them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace flow {

// 64-byte aligned; large blocks are aligned and advised for huge pages. Throws std::bad_alloc.
void* aligned_block(size_t bytes);
void aligned_release(void* block);

// Where a pool has its blocks from: the host, or a device behind the plug-in.
class BlockSource {
 public:
  virtual void* take(size_t bytes) = 0;  // throws std::bad_alloc
  virtual void give(void* block) = 0;
  virtual void fill(void* block, int byte, size_t bytes) = 0;

 protected:
  ~BlockSource() = default;
};
BlockSource& host_blocks();

// Free lists of blocks by size class (four classes an octave). One pool an environment and device: no locks.
class MemoryPool {
 public:
  explicit MemoryPool(BlockSource& source) : source_(source) {}
  ~MemoryPool();
  void* take(size_t bytes);
  void give(void* block, size_t bytes);
  void trim();

  size_t live_bytes() const { return live_; }
  size_t cached_bytes() const { return cached_; }
  size_t peak_bytes() const { return peak_; }
  void reset_peak() { peak_ = live_; }

 private:
  BlockSource& source_;
  std::vector<void*> free_[256];
  size_t live_ = 0, cached_ = 0, peak_ = 0;
};

}  // namespace flow
