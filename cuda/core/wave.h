// The residual layers of a WaveNet: native/simd/wave_stack.h has the formulas, native/ops/wave_stack.h the attributes. What wave_stack,
// its gradient and wave_generate share: the layers in operands and attributes, and the rules by which products (core/product.h) read the rows.
#pragma once
#include "cuda/core/divide.h"
#include "cuda/core/linear.h"

namespace flow::cuda {

inline constexpr int wave_weights = 4;  // W, b, Wo, bo
inline constexpr int64_t most_wave_layers = 512;

struct WaveShape {
  int64_t rows, length;
  int64_t channels;   // R
  int64_t gated;      // G
  int64_t skips;      // S
  int64_t condition;  // C, perhaps 0
  int64_t layers;

  int64_t inputs() const { return 2 * channels + condition; }
  // Outputs of layer l behind the gate.
  int64_t outputs(int64_t l) const { return l + 1 < layers ? skips + channels : skips; }
};

/** x, condition (or absent), and the weights of each layer, `stride` inputs apart from `first` on; W is the first of them, Wo the one at `wo_at`. */
inline bool read_wave_shape(const Call& call, const Operand& x, const Operand& condition, int first, int stride, int wo_at,
                            WaveShape& v, int at = 0) {
  const auto whole = [&](int k) { return call.attr[k] >= 1 && call.attr[k] < 1e15 && call.attr[k] == static_cast<double>(call.int_attr(k)); };
  v.layers = call.n_attr - 1 - at;
  FLOW_CHECK(call, v.layers >= 1 && v.layers <= most_wave_layers && call.n_in == first + stride * v.layers,
             "layers: expected 1 to %d with %d inputs each, got %d dilations and %d inputs", static_cast<int>(most_wave_layers),
             stride, call.n_attr - 1 - at, call.n_in);
  for (int i = at; i < call.n_attr; ++i)
    FLOW_CHECK(call, whole(i), "attributes: expected whole numbers above 0, got %g", call.attr[i]);
  v.rows = x.rows;
  v.length = call.int_attr(at);
  FLOW_CHECK(call, x.rows % v.length == 0, "length: expected a divisor of the %lld rows, got %lld", ll(x.rows), ll(v.length));
  v.channels = x.cols;
  v.condition = condition.absent() ? 0 : condition.cols;
  const Operand& last = call.in[first + stride * (v.layers - 1) + wo_at];
  v.gated = last.cols;
  v.skips = last.rows;
  FLOW_CHECK(call, v.channels > 0 && v.gated > 0 && v.skips > 0, "channels: expected at least one of each kind");
  if (!condition.absent() && !check_shape(call, condition, "condition", v.rows, v.condition, x.dtype)) return false;
  for (int64_t l = 0; l < v.layers; ++l) {
    const Operand* in = call.in + first + stride * l;
    if (!check_shape(call, in[0], "weight", 2 * v.gated, v.inputs(), x.dtype) ||
        !check_shape(call, in[wo_at], "output weight", v.outputs(l), v.gated, x.dtype))
      return false;
  }
  return true;
}

/** What a layer reads, [h(p − d) | h(p) | c(p)], of row p and column k. */
template <class T>
struct WaveInputs {
  const T* h;
  int64_t h_ld;
  const T* condition;
  int64_t condition_ld;
  int64_t channels, dilation;
  Divisor by_length;

  WaveInputs(const WaveShape& v, const Operand& from, const Operand& c, int64_t d)
      : h(from.as<const T>()), h_ld(from.ld), condition(c.as<const T>()), condition_ld(c.ld), channels(v.channels), dilation(d),
        by_length(v.length) {}

  struct Place {
    const T* h;
    const T* condition;
    bool has_before;
  };
  __device__ __forceinline__ Place place(int64_t p) const {
    int64_t in_sequence = p;
    by_length.split(in_sequence);
    return {h + p * h_ld, condition + p * condition_ld, in_sequence >= dilation};
  }
  /** Of column k: how far from the row's own h or condition it stands, and which of the three it is. */
  struct Column {
    int64_t offset;
    int part;
  };
  __device__ __forceinline__ Column column(int64_t k) const {
    if (k < channels) return {k - dilation * h_ld, 0};
    if (k < 2 * channels) return {k - channels, 1};
    return {k - 2 * channels, 2};
  }
  __device__ __forceinline__ T load(const Place& place, const Column& c) const {
    if (c.part == 2) return place.condition[c.offset];
    return c.part == 1 || place.has_before ? place.h[c.offset] : T(0);
  }
};

/** The same as a rule: rows are rows. */
template <class T>
struct WaveRows {
  static constexpr bool deep = true;
  using Row = typename WaveInputs<T>::Place;
  using Depth = typename WaveInputs<T>::Column;
  WaveInputs<T> inputs;
  __device__ __forceinline__ Row row(int64_t, int64_t p) const { return inputs.place(p); }
  __device__ __forceinline__ Depth depth(int64_t k) const { return inputs.column(k); }
  __device__ __forceinline__ T load(const Row& row, const Depth& depth) const { return inputs.load(row, depth); }
};
/** And turned: rows are columns. */
template <class T>
struct WaveColumns {
  static constexpr bool deep = false;
  using Row = typename WaveInputs<T>::Column;
  using Depth = typename WaveInputs<T>::Place;
  WaveInputs<T> inputs;
  __device__ __forceinline__ Row row(int64_t, int64_t k) const { return inputs.column(k); }
  __device__ __forceinline__ Depth depth(int64_t p) const { return inputs.place(p); }
  __device__ __forceinline__ T load(const Row& row, const Depth& depth) const { return inputs.load(depth, row); }
};

}  // namespace flow::cuda
