// What mlp and mlp_grad (ops/mlp_operands.h) share: the blocks of rows that go through all layers.
//
// For networks whose weights fit a core's cache: the weights are packed once, then each task takes a block of rows through the whole
// network.
#pragma once
#include "ops/linear.h"
#include "ops/mlp_operands.h"
#include "simd/gemm_packed.h"
#include "simd/prefetch.h"

namespace flow::FLOW_ISA {

template <class T>
PackSource<T> pack_source(const MlpLayer& layer, bool backward) {
  const MaskKind mask = !layer.extents ? MaskKind::none : backward ? MaskKind::depth : MaskKind::columns;
  return {layer.weight->as<T>(), layer.weight->ld, !backward, mask, layer.extent()};
}

// Blocks of rows, made of whole tiles.
struct RowBlocks {
  int64_t rows, tiles, count;
  // Enough for some cores, and few enough that the packed weights are not read too often.
  explicit RowBlocks(int64_t n) : RowBlocks(n, tiles_of(n) >= 64 ? 16 : 8) {}
  RowBlocks(int64_t n, int64_t most) : rows(n), tiles(tiles_of(n)), count(max_of(1, min_of(most, tiles / 2))) {}
  int64_t start(int64_t block) const { return tile_start(rows, block * tiles / count); }
};

// Multiply-adds below which one thread does it all.
inline constexpr int64_t mlp_serial_work = 64 << 10;

inline bool is_small(const MlpNetwork& net) {
  int64_t work = 0;
  for (int64_t l = 0; l < net.layers; ++l) work += net.rows * net.layer[l].units * net.layer[l].inputs;
  return work < mlp_serial_work;
}

template <class F>
void run_mlp_tasks(int64_t tasks, bool serial, const F& body) {
  if (serial) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
  } else {
    parallel(tasks, body);
  }
}

// Memory handed out piece by piece, each on a line of its own.
template <class T>
class Pieces {
 public:
  int64_t take(int64_t elements) {
    const int64_t at = size_;
    size_ += ceil_div(elements, 64) * 64;
    return at;
  }
  int64_t size() const { return size_; }
  // 64 elements more than were taken.
  T* get(int slot) const { return static_cast<T*>(scratch(static_cast<size_t>(size_ + 64) * sizeof(T), slot)); }

 private:
  int64_t size_ = 0;
};

// A number that no call had before, and that no other op leaves in its scratch memory: small whole numbers are often there.
inline uint64_t next_stamp() {
  static uint64_t calls = 0;
  return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) * 0x9E3779B97F4A7C15u;
}

// Asks for all weights at once: after an update half of them are in another core's cache.
template <class T>
void fetch_weights(const MlpNetwork& net) {
  for (int64_t l = 0; l < net.layers; ++l) {
    const Operand& weight = *net.layer[l].weight;
    for (int64_t unit = 0; unit < weight.rows; ++unit) prefetch_to_read(weight.as<T>() + unit * weight.ld, weight.cols);
  }
}

// Packs the weights of the layers first … last, each to packed + at[layer].
template <class T>
void pack_weights(const MlpNetwork& net, int64_t first, bool backward, T* packed, const int64_t* at) {
  for (int64_t l = first; l < net.layers; ++l) {
    const MlpLayer& layer = net.layer[l];
    const int64_t n = backward ? layer.inputs : layer.units, k = backward ? layer.units : layer.inputs;
    for (int64_t panel = 0; panel < packed_panels<T>(n); ++panel)
      pack_b_panel<T>(pack_source<T>(layer, backward), n, k, panel, packed + at[l]);
  }
}

// The packed weights of the call `stamp` in the thread's own memory, packed in its first task. Each thread packs for itself: to
// meet the others and fetch what they packed from their caches takes longer (256 → 256 networks on two cores: forward 130 →
// 97 µs).
template <class T>
T* thread_weights(const MlpNetwork& net, int64_t first, bool backward, const Pieces<T>& pieces, const int64_t* at, uint64_t stamp) {
  T* memory = pieces.get(4);
  uint64_t* found = reinterpret_cast<uint64_t*>(memory + pieces.size());
  if (*found != stamp) {
    fetch_weights<T>(net);
    pack_weights<T>(net, first, backward, memory, at);
    *found = stamp;
  }
  return memory;
}

}  // namespace flow::FLOW_ISA
