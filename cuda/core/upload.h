// Tables of the host for kernels whose arguments would be too many: they go to the device in the arguments of small launches, so that a
// captured graph holds them, and nobody waits.
#pragma once
#include "cuda/core/context.h"
#include "cuda/core/launch.h"

namespace flow::cuda {

struct TablePiece {
  static constexpr int most = 480;  // with the other arguments below the 4 KB that every driver takes
  uint64_t words[most];
};

static __global__ void __launch_bounds__(block_threads) write_table(const TablePiece piece, int count, uint64_t* to) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads) to[i] = piece.words[i];
}

/** The bytes that a table takes in a workspace. */
inline size_t table_bytes(size_t bytes) { return (bytes + 255) / 256 * 256; }

/** Writes entries one behind the other to the device: a launch for some 4 KB, the last by finish(). */
class TableWriter {
 public:
  explicit TableWriter(void* device) : to_(static_cast<uint64_t*>(device)), piece_{} {}

  template <class Entry>
  void add(const Entry& entry) {
    static_assert(sizeof(Entry) % sizeof(uint64_t) == 0);
    constexpr int words = sizeof(Entry) / sizeof(uint64_t);
    uint64_t own[words];
    __builtin_memcpy(own, &entry, sizeof entry);
    for (int w = 0; w < words; ++w) {
      if (count_ == TablePiece::most) finish();
      piece_.words[count_++] = own[w];
    }
  }
  void finish() {
    if (count_ == 0) return;
    FLOW_LAUNCH(write_table, 1, block_threads, 0, piece_, count_, to_);
    to_ += count_;
    count_ = 0;
  }

 private:
  uint64_t* to_;
  TablePiece piece_;
  int count_ = 0;
};

}  // namespace flow::cuda
