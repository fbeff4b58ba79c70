// A masked linear layer whose units become computable one after the other: the inputs appear in their order, and unit u
// is due as soon as the inputs k < extent[u] are known (extents non-decreasing). Samples lie side by side: a value is a
// row of `lanes` samples, values are [unit][lane], and a weight is broadcast over the lanes.
//
// Units are worked off in blocks of block_units. When the first unit of a block is due, the whole block takes in the
// inputs that are known: a product with block_units × registers of accumulators, which is where nearly all of the work
// is. The few inputs that appear while the block is open are added to all of its units that are left.
// Each sum runs over k in order, whatever the block and the lanes: a sample's result does not depend on its neighbours.
//
// Dir −1 is the mirror image, for backward passes: inputs and units are counted from the end, and every pointer is that
// of the last row (of the last column, for a weight).
#pragma once
#include "ops/kernel.h"
#include "ops/lanes.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {

inline constexpr int block_units = 8;

// z[u][lane] += Σ_{k < depth} w[u][k]·h[k][lane] for U units and NV registers of lanes; `row` from a row to the next.
template <class T, int U, int NV, int Dir>
FLOW_NOINLINE void accumulate_units(const T* w, int64_t w_ld, int64_t depth, const T* h, int64_t row, T* z) {
  using V = Vec<T>;
  V sum[U][NV];
  FLOW_UNROLL
  for (int u = 0; u < U; ++u) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) sum[u][v] = load<V>(z + u * row + v * V::width);
  }
  for (int64_t k = 0; k < depth; ++k, h += row) {
    V in[NV];
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) in[v] = load<V>(h + v * V::width);
    FLOW_UNROLL
    for (int u = 0; u < U; ++u) {
      const V weight(w[u * w_ld + Dir * k]);
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) sum[u][v] = fma(weight, in[v], sum[u][v]);
    }
  }
  FLOW_UNROLL
  for (int u = 0; u < U; ++u) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) store(z + u * row + v * V::width, sum[u][v]);
  }
}

template <class T, int NV, int Dir>
inline void accumulate_lanes(int64_t units, const T* w, int64_t w_ld, int64_t depth, const T* h, int64_t row, T* z) {
  static_assert(block_units == 8);
  using F = void (*)(const T*, int64_t, int64_t, const T*, int64_t, T*);
#if defined(__AVX512F__) || defined(FLOW_ARM)
  static constexpr F table[8] = {accumulate_units<T, 1, NV, Dir>, accumulate_units<T, 2, NV, Dir>, accumulate_units<T, 3, NV, Dir>,
                                 accumulate_units<T, 4, NV, Dir>, accumulate_units<T, 5, NV, Dir>, accumulate_units<T, 6, NV, Dir>,
                                 accumulate_units<T, 7, NV, Dir>, accumulate_units<T, 8, NV, Dir>};
  table[units - 1](w, w_ld, depth, h, row, z);
#else
  // Sixteen registers: four units at a time.
  static constexpr F table[4] = {accumulate_units<T, 1, NV, Dir>, accumulate_units<T, 2, NV, Dir>, accumulate_units<T, 3, NV, Dir>,
                                 accumulate_units<T, 4, NV, Dir>};
  for (int64_t u = 0; u < units; u += 4)
    table[min_of(4, units - u) - 1](w + u * w_ld, w_ld, depth, h, row, z + u * row);
#endif
}

// z += w·h for up to block_units units over all lanes, a multiple of the register width.
template <int Dir, class T>
inline void accumulate(int64_t units, const T* w, int64_t w_ld, int64_t depth, const T* h, int64_t lanes, T* z) {
  constexpr int64_t w2 = 2 * Vec<T>::width;
  if (depth <= 0) return;
  int64_t lane = 0;
  for (; lane + w2 <= lanes; lane += w2) accumulate_lanes<T, 2, Dir>(units, w, w_ld, depth, h + lane, Dir * lanes, z + lane);
  if (lane < lanes) accumulate_lanes<T, 1, Dir>(units, w, w_ld, depth, h + lane, Dir * lanes, z + lane);
}

template <class T, int Dir = 1>
struct IncrementalLayer {
  const T* weight;
  int64_t weight_ld;
  const int32_t* extent;  // non-decreasing
  int64_t units;
  const T* in;            // [inputs][lanes]
  T* values;              // where the rows of the units stand
  bool keeps;             // values are [units][lanes]; else only the open block is kept, from values on
  int64_t lanes;
  // A second weight on other inputs (the direct connection), or null: unit u sees the inputs
  // k < ⌊u·second_factor/second_group⌋.
  const T* second = nullptr;
  int64_t second_ld = 0;
  const T* second_in = nullptr;
  int64_t second_factor = 1;
  int64_t second_group = 1;

  int64_t known = 0;        // units that are finished
  int64_t block_begin = 0;  // the open block
  int64_t block_end = 0;
  int64_t depth = 0;        // inputs that its units have taken in
  int64_t second_depth = 0;

  T* row(int64_t unit) const { return values + Dir * (keeps ? unit : unit - block_begin) * lanes; }

  // The unit `known` takes in all that it sees. start(first, last) writes the starting values of a new block's rows.
  template <class F>
  void complete(const F& start) {
    if (known == block_end) {
      block_begin = known;
      block_end = min_of(units, known + block_units);
      depth = second_depth = 0;
      start(block_begin, block_end);
    }
    if (extent[known] > depth) {
      accumulate<Dir>(block_end - known, weight + known * weight_ld + Dir * depth, weight_ld, extent[known] - depth,
                      in + Dir * depth * lanes, lanes, row(known));
      depth = extent[known];
    }
    const int64_t seen = second ? known * second_factor / second_group : 0;
    if (seen > second_depth) {
      accumulate<Dir>(block_end - known, second + known * second_ld + Dir * second_depth, second_ld,
                      seen - second_depth, second_in + Dir * second_depth * lanes, lanes, row(known));
      second_depth = seen;
    }
  }

  // Works off every unit that sees no more than the first `inputs` inputs; finish(first, last) turns sums into values.
  template <class S, class F>
  void advance(int64_t inputs, const S& start, const F& finish) {
    while (known < units && extent[known] <= inputs) {
      complete(start);
      int64_t last = known + 1;
      while (last < block_end && extent[last] <= depth) ++last;
      finish(known, last);
      known = last;
    }
  }
};

// out[c][r] = in[r][c] for rows × cols elements; columns of out from rows to padded_rows are filled with zeros.
template <class T>
void transpose_block(const T* in, int64_t in_ld, int64_t rows, int64_t cols, T* out, int64_t out_ld,
                     int64_t padded_rows) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t r = 0; r < padded_rows; r += w) {
    const int height = static_cast<int>(max_of(0, min_of(w, rows - r)));
    const int out_width = static_cast<int>(min_of(w, padded_rows - r));
    for (int64_t c = 0; c < cols; c += w) {
      const int live = static_cast<int>(min_of(w, cols - c));
      V square[w];
      for (int i = 0; i < w; ++i)
        square[i] = i < height ? load_live(in + (r + i) * in_ld + c, live) : V(T(0));
      transpose(square);
      for (int i = 0; i < live; ++i) store_live(out + (c + i) * out_ld + r, square[i], out_width);
    }
  }
}

}  // namespace flow::FLOW_ISA
