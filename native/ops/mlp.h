// What mlp and mlp_grad share: the layers of a network, and the blocks of rows that go through all of them.
//
// A network is h_l = act(h_(l−1)·W_lᵀ + b_l), the first layer with an addend, the last one without activation; unit o of a layer
// with extents sees the inputs i < extents[o] only. For networks whose weights fit a core's cache: the weights are packed once,
// then each task takes a block of rows through the whole network.
#pragma once
#include "ops/linear.h"
#include "simd/gemm_packed.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t max_layers = 32;

struct MlpLayer {
  int64_t units, inputs;
  const Operand* weight;
  const Operand* extents;  // null: dense

  const int32_t* extent() const { return extents ? extents->as<int32_t>() : nullptr; }
  template <class T>
  PackSource<T> source(bool backward) const {
    const MaskKind mask = !extents ? MaskKind::none : backward ? MaskKind::depth : MaskKind::columns;
    return {weight->as<T>(), weight->ld, !backward, mask, extent()};
  }
};

struct MlpNetwork {
  int64_t rows, layers;
  DType dtype;
  Activation act;
  double act_param;
  MlpLayer layer[max_layers];
};

inline bool read_layer(const Call& call, MlpNetwork& net, const Operand& weight, const Operand& extents) {
  MlpLayer& layer = net.layer[net.layers];
  const int64_t inputs = net.layers == 0 ? weight.cols : net.layer[net.layers - 1].units;
  layer = {weight.rows, inputs, &weight, extents.absent() ? nullptr : &extents};
  if (!check_shape(call, weight, "weight", weight.rows, inputs, net.dtype)) return false;
  if (layer.extents && !check_extents(call, extents, layer.units, inputs)) return false;
  ++net.layers;
  return true;
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

// Weights of fewer elements are packed by each thread for itself: that takes a microsecond, and to meet the others and fetch
// what they packed from their caches takes longer.
inline constexpr int64_t own_weights = 32 << 10;

inline bool packs_alone(const MlpNetwork& net) {
  int64_t elements = 0;
  for (int64_t l = 0; l < net.layers; ++l) elements += net.layer[l].units * net.layer[l].inputs;
  return elements <= own_weights;
}

// A number that no call had before.
inline uint64_t next_stamp() {
  static uint64_t last = 0;
  return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

// Asks for all weights at once: after an update half of them are in another core's cache, and come a line at a time where
// packing asks for them.
inline void fetch_weights(const MlpNetwork& net) {
  const int64_t size = net.dtype == DType::f32 ? 4 : 8;
  for (int64_t l = 0; l < net.layers; ++l) {
    const Operand& weight = *net.layer[l].weight;
    const char* bytes = static_cast<const char*>(weight.data);
    for (int64_t at = 0; at < ((weight.rows - 1) * weight.ld + weight.cols) * size; at += 64) __builtin_prefetch(bytes + at, 0, 2);
  }
}

// The packed weights of this call in the thread's own memory, packed by its first task: pack_all(packed) does it.
template <class T, class F>
T* thread_weights(const MlpNetwork& net, const Pieces<T>& pieces, uint64_t stamp, const F& pack_all) {
  T* memory = pieces.get(4);
  uint64_t* found = reinterpret_cast<uint64_t*>(memory + pieces.size());
  if (*found != stamp) {
    fetch_weights(net);
    pack_all(memory);
    *found = stamp;
  }
  return memory;
}

// Packs the weights of the layers first … last, each to packed + at[layer].
template <class T>
void pack_weights(const MlpNetwork& net, int64_t first, bool backward, T* packed, const int64_t* at, bool serial) {
  int64_t panels[max_layers + 1] = {0};
  for (int64_t l = first; l < net.layers; ++l)
    panels[l + 1] = panels[l] + packed_panels<T>(backward ? net.layer[l].inputs : net.layer[l].units);
  run_mlp_tasks(panels[net.layers], serial, [&](int64_t task) {
    int64_t l = first;
    while (task >= panels[l + 1]) ++l;
    const MlpLayer& layer = net.layer[l];
    const int64_t n = backward ? layer.inputs : layer.units, k = backward ? layer.units : layer.inputs;
    pack_b_panel<T>(layer.source<T>(backward), n, k, task - panels[l], packed + at[l]);
  });
}

}  // namespace flow::FLOW_ISA
