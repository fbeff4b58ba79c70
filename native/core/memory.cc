#include "core/memory.h"

#include <cstdlib>
#include <cstring>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FLOW_EXACT_BLOCKS 1  // no reuse and no rounding: the address sanitizer then sees every access past the end
#else
#define FLOW_EXACT_BLOCKS 0
#endif

namespace flow {
namespace {

constexpr size_t alignment = 64;
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t keep_at_least = size_t{512} << 20;

struct SizeClass {
  int index;
  size_t bytes;
};

// 64, 80, 96, 112, 128, 160, … : at most a quarter is wasted.
SizeClass size_class(size_t bytes) {
  if (bytes < alignment) bytes = alignment;
  int octave = 63 - __builtin_clzll(static_cast<unsigned long long>(bytes));
  size_t step = size_t{1} << (octave - 2);
  size_t steps = (bytes - (size_t{1} << octave) + step - 1) / step;
  return {octave * 4 + static_cast<int>(steps), (size_t{1} << octave) + steps * step};
}

bool poisoned() {
  static const bool value = std::getenv("FLOW_KERNELS_POISON") != nullptr;
  return value;
}

}  // namespace

void* aligned_block(size_t bytes) {
  size_t align = bytes >= 2 * huge_page && !FLOW_EXACT_BLOCKS ? huge_page : alignment;
  if (bytes > SIZE_MAX - align) throw std::bad_alloc();
  size_t rounded = FLOW_EXACT_BLOCKS ? bytes : (bytes + align - 1) / align * align;
  void* block = nullptr;
#if defined(_WIN32)
  block = _aligned_malloc(rounded, align);
#else
  if (posix_memalign(&block, align, rounded ? rounded : align) != 0) block = nullptr;
#endif
  if (!block) throw std::bad_alloc();
#if defined(__linux__)
  if (align == huge_page) madvise(block, rounded, MADV_HUGEPAGE);
#endif
  return block;
}

void aligned_release(void* block) {
#if defined(_WIN32)
  _aligned_free(block);
#else
  std::free(block);
#endif
}

namespace {

class HostBlocks final : public BlockSource {
 public:
  void* take(size_t bytes) override { return aligned_block(bytes); }
  void give(void* block) override { aligned_release(block); }
  void fill(void* block, int byte, size_t bytes) override { std::memset(block, byte, bytes); }
};

}  // namespace

BlockSource& host_blocks() {
  static HostBlocks instance;
  return instance;
}

MemoryPool::~MemoryPool() { trim(); }

void* MemoryPool::take(size_t bytes) {
  SizeClass size = FLOW_EXACT_BLOCKS ? SizeClass{0, bytes} : size_class(bytes);
  void* block;
  auto& list = free_[size.index];
  if (!FLOW_EXACT_BLOCKS && !list.empty()) {
    block = list.back();
    list.pop_back();
    cached_ -= size.bytes;
  } else {
    try {
      block = source_.take(size.bytes);
    } catch (const std::bad_alloc&) {
      trim();  // blocks of other sizes may make room
      block = source_.take(size.bytes);
    }
  }
  live_ += size.bytes;
  if (live_ > peak_) peak_ = live_;
  if (poisoned()) source_.fill(block, 0xff, size.bytes);  // all ones is a NaN: an unwritten output shows
  return block;
}

void MemoryPool::give(void* block, size_t bytes) {
  SizeClass size = FLOW_EXACT_BLOCKS ? SizeClass{0, bytes} : size_class(bytes);
  live_ -= size.bytes;
  size_t keep = peak_ > keep_at_least ? peak_ : keep_at_least;
  if (FLOW_EXACT_BLOCKS || cached_ + size.bytes > keep) {
    source_.give(block);
    return;
  }
  free_[size.index].push_back(block);
  cached_ += size.bytes;
}

void MemoryPool::trim() {
  for (auto& list : free_) {
    for (void* block : list) source_.give(block);
    list.clear();
  }
  cached_ = 0;
}

}  // namespace flow
