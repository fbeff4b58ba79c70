// The rows of many layers' weights times a factor each: what scale_weights and its gradient share. See native/ops/scale_weights.h.
//
// A warp takes a row, so that its sums need no block; the layers stand in a table in the kernel's arguments, at most 4 KB, and as many
// launches as there are tables.
#pragma once
#include "cuda/core/block.h"
#include "cuda/core/linear.h"
#include "cuda/core/scalar.h"
#include "ops/scale_weights_operands.h"

namespace flow::cuda {

/** A weight [rows, cols] and what belongs to it; or null. */
struct ScaledLayer {
  const char *weight, *bias, *log_scale, *gain;
  int32_t rows, cols, ld;
  int32_t first;  // block of the table
  bool is_double;
};

template <class Entry>
struct LayerTable {
  static constexpr int most = (4000 - 16) / static_cast<int>(sizeof(Entry));
  Entry entry[most];
  double factor;
  int count;
};

inline constexpr int warps_of_block = block_threads / warp_threads;

template <class T>
__device__ __forceinline__ const T* numbers(const char* p) {
  return reinterpret_cast<const T*>(p);
}
template <class T>
__device__ __forceinline__ T* numbers(char* p) {
  return reinterpret_cast<T*>(p);
}

/** The layer of this block: the last that starts at or before it. */
template <class Entry>
__device__ __forceinline__ int layer_of(const LayerTable<Entry>& table) {
  int low = 0, high = table.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (table.entry[middle].layer.first <= static_cast<int>(blockIdx.x)) low = middle;
    else high = middle;
  }
  return low;
}

/** Σ a·b over a row, in float64, in every lane of the warp. */
template <class T>
__device__ __forceinline__ double row_dot(const T* a, const T* b, int cols) {
  double sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % warp_threads; c < cols; c += warp_threads)
    sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return warp_fold(sum, Sum{});
}

inline bool check_scaled_size(const Call& call, const Operand& weight) {
  FLOW_CHECK(call, weight.rows <= INT32_MAX / 2 && weight.ld <= INT32_MAX / 2, "weight: %lld × %lld is too large", ll(weight.rows),
             ll(weight.cols));
  return true;
}

/** make(k) → the entry of layer k, whose `layer` is set here from in[k·per_in …]; launch(table, blocks) for each full table. */
template <class Entry, class Make, class Launch>
bool for_layers(const Call& call, int per_in, int layers, const Make& make, const Launch& launch) {
  LayerTable<Entry> table;
  static_assert(sizeof table <= 4000);
  table.factor = call.attr[0];
  table.count = 0;
  int64_t blocks = 0;
  const auto flush = [&] {
    if (table.count == 0) return true;
    const bool done = launch(table, static_cast<unsigned>(blocks));
    table.count = 0;
    blocks = 0;
    return done;
  };
  for (int k = 0; k < layers; ++k) {
    const Operand* in = call.in + per_in * k;
    if (!check_scaled_size(call, in[0])) return false;
    if (in[0].rows == 0) continue;
    const int64_t own = ceil_div(in[0].rows, warps_of_block);
    if ((table.count == LayerTable<Entry>::most || blocks + own > INT32_MAX) && !flush()) return false;
    Entry& entry = table.entry[table.count++];
    entry = make(k);
    entry.layer = {in[0].as<const char>(),
                   in[1].as<const char>(),
                   in[2].as<const char>(),
                   in[3].as<const char>(),
                   static_cast<int32_t>(in[0].rows),
                   static_cast<int32_t>(in[0].cols),
                   static_cast<int32_t>(in[0].ld),
                   static_cast<int32_t>(blocks),
                   in[0].dtype == DType::f64};
    blocks += own;
  }
  return flush();
}

}  // namespace flow::cuda
