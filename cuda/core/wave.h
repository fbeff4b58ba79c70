// The residual layers of a WaveNet: native/simd/wave_stack.h has the formulas, native/ops/wave_operands.h the attributes. What wave_stack,
// its gradient and wave_generate share: the rules by which products (core/product.h) read the rows.
#pragma once
#include "cuda/core/divide.h"
#include "cuda/core/linear.h"
// After the checks that it calls.
#include "ops/wave_operands.h"

namespace flow::cuda {

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
