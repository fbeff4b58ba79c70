// What the gradient of a convolution by its weight is made of: for each tap a product Σ_pixels of one side's moved pixels with
// the other's. The narrow side is moved, all its taps laid side by side (conv_gather.h), so that
//   inputs ≤ outputs:  G[(t, c), o] = Σ_p x[p + tap t, c] · dL_dy[p, o], turned over into dL_dW at the end
//   else:              G[(t, o), c] = Σ_p dL_dy[p − tap t, o] · x[p, c], whose rows are pieces of rows of dL_dW
#pragma once

#include "column_sums.h"
#include "conv.h"
#include "conv_gather.h"
#include "gemm_blocks.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t kPixelBlock = kSumRows;  // gathered and multiplied at a time

/** The moved side, the still one, and G. */
template <class T>
struct Correlation {
  Moves moves;
  bool in_place;  // one tap that moves nothing: s is its own gathered columns
  int64_t pixels;
  int64_t moved, still;  // channels
  const T* s;            // moved
  int64_t s_ld;
  const T* b;            // still
  int64_t ldb;
};

/** Taps t0 … t1 over the blocks q0 … q1 of pixels into, or with `onto` added to, rows t0·moved … of g [taps·moved, still]. */
template <class T>
void run_piece(const Correlation<T>& v, int64_t t0, int64_t t1, int64_t q0, int64_t q1, bool onto, T* g) {
  const int64_t rows = (t1 - t0) * v.moved;
  const int64_t ld = v.in_place ? v.s_ld : gathered_ld<T>(t1 - t0, v.moved);
  T* gathered = v.in_place ? nullptr : workspace<T>(kPixelBlock * ld, 2);
  T* work = workspace<T>(kPixelBlock * kPanelColumns<T>, 3);
  const RowTiles tiles(rows);
  for (int64_t q = q0; q < q1; ++q) {
    const int64_t p0 = q * kPixelBlock;
    const int64_t depth = lesser(kPixelBlock, v.pixels - p0);
    if (!v.in_place) gather(v.moves, t0, t1, v.moved, v.s, v.s_ld, p0, p0 + depth, gathered, ld);
    const T* still = v.b + p0 * v.ldb;
    Product<T> part = {rows, v.still, depth, v.in_place ? v.s + p0 * ld : gathered, ld, true,
                       {still, v.ldb, false, MaskKind::none, nullptr}, g + t0 * v.moved * v.still, v.still, {}};
    part.epilogue.accumulate = onto || q > q0;
    for (int64_t panel = 0; panel < panels_of<T>(v.still); ++panel)
      run_panel<T>(part, tiles, 0, tiles.tiles, panel, nullptr, work);
  }
}

FLOW_INLINE bool moves_input(const ConvShape& shape) { return shape.inputs <= shape.outputs; }
FLOW_INLINE bool is_plain(const ConvShape& shape) {
  return shape.live == 1 && shape.taps[0].dy == 0 && shape.taps[0].dx == 0;
}

template <class T>
FLOW_INLINE Correlation<T> correlation_of(const ConvShape& shape, const T* dL_dy, int64_t dy_ld, const T* x,
                                          int64_t x_ld) {
  const bool moves_x = moves_input(shape);
  const Moves moves = {shape.height, shape.width, shape.taps, shape.live, moves_x ? 1 : -1};
  if (moves_x) return {moves, is_plain(shape), shape.pixels(), shape.inputs, shape.outputs, x, x_ld, dL_dy, dy_ld};
  return {moves, is_plain(shape), shape.pixels(), shape.outputs, shape.inputs, dL_dy, dy_ld, x, x_ld};
}

/** to [columns, rows] = the sum of `pieces` matrices [rows, columns], for rows m0 … m0 + w of them. */
template <class T>
void sum_transposed(const T* from, int64_t pieces, int64_t piece_size, int64_t columns, int64_t m0, int live, T* to,
                    int64_t to_ld) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t n = 0; n < columns; n += w) {
    const int across = static_cast<int>(lesser(w, columns - n));
    V square[w];
    for (int i = 0; i < w; ++i) {
      square[i] = V(T(0));
      if (i >= live) continue;
      const T* row = from + (m0 + i) * columns + n;
      for (int64_t piece = 0; piece < pieces; ++piece) square[i] += load_partial<V>(row + piece * piece_size, across);
    }
    transpose(square);
    for (int i = 0; i < across; ++i) store_partial(to + (n + i) * to_ld + m0, square[i], live);
  }
}

/** dL_dW = the sum of `pieces` matrices G, `stride` elements apart; dead taps are left. Slot 1 is used. */
template <class T>
void write_weight(const ConvShape& shape, const T* g, int64_t pieces, int64_t stride, T* dL_dW, int64_t dw_ld) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int64_t taps = shape.live, inputs = shape.inputs, outputs = shape.outputs;
  if (moves_input(shape)) {
    // Columns (t, c) of dL_dW lie as the rows of G do, tap by tap, where no tap is dead.
    const bool flat = taps == shape.blocks;
    const int64_t rows = taps * inputs;
    T* turned = flat ? dL_dW : workspace<T>(outputs * rows, 1);
    const int64_t turned_ld = flat ? dw_ld : rows;
    parallel(up_div(rows, w), [&](int64_t task) {
      const int live = static_cast<int>(lesser(w, rows - task * w));
      sum_transposed(g, pieces, stride, outputs, task * w, live, turned, turned_ld);
    });
    if (flat) return;
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t t = 0; t < taps; ++t)
        __builtin_memcpy(dL_dW + o * dw_ld + shape.taps[t].block * inputs, turned + o * rows + t * inputs,
                         static_cast<size_t>(inputs) * sizeof(T));
    return;
  }
  const int64_t rows = taps * outputs, rows_of_task = up_div(4096, inputs);
  parallel(up_div(rows, rows_of_task), [&](int64_t task) {
    for (int64_t m = task * rows_of_task; m < lesser(rows, (task + 1) * rows_of_task); ++m) {
      const T* from = g + m * inputs;
      T* to = dL_dW + m % outputs * dw_ld + shape.taps[m / outputs].block * inputs;
      for (int64_t n = 0; n < inputs; n += w) {
        const int live = static_cast<int>(lesser(w, inputs - n));
        V sum(T(0));
        for (int64_t piece = 0; piece < pieces; ++piece) sum += load_partial<V>(from + piece * stride + n, live);
        store_partial(to + n, sum, live);
      }
    }
  });
}

}  // namespace flow::FLOW_ISA
