// Sums in float64 in an order that depends on the sizes only: registers within a block, blocks in turn.
#pragma once
#include "ops/elementwise.h"
#include "simd/shuffle.h"

namespace flow::FLOW_ISA {

// width_of<Vec<double>> elements from p as doubles.
FLOW_INLINE Vec<double> load_double(const double* p) { return load<Vec<double>>(p); }
FLOW_INLINE Vec<double> load_double(const float* p) { return load_widened(p); }

// Σ f(x[i]) for i in [0, n), f of Vec<double> and of double.
template <class T, class F>
FLOW_INLINE double sum_row(const T* x, int64_t n, const F& f) {
  using V = Vec<double>;
  constexpr int w = V::width;
  V total[4] = {V(0), V(0), V(0), V(0)};
  int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    FLOW_UNROLL
    for (int k = 0; k < 4; ++k) total[k] += f(load_double(x + i + k * w));
  }
  for (; i + w <= n; i += w) total[0] += f(load_double(x + i));
  double sum = horizontal_sum((total[0] + total[1]) + (total[2] + total[3]));
  for (; i < n; ++i) sum += f(static_cast<double>(x[i]));
  return sum;
}

// Elements and rows of a block of a reduction.
inline constexpr int64_t reduce_block = 8192;

// Rows of a block of a reduction over rows: about reduce_block elements.
inline int64_t rows_of_block(int64_t cols) { return max_of(16, reduce_block / max_of(1, min_of(cols, 512))); }

// Calls block(partial, first_row, last_row, first_col, last_col) for a grid of blocks, where partial is the block's row of
// `values` doubles a column, at `partials + (row block · cols + first_col) · values`; then, for ranges of columns,
// finish(first_col, last_col, row_blocks). Returns the number of row blocks.
template <class B, class E>
inline void reduce_rows(int64_t rows, int64_t cols, double* partials, int values, const B& block, const E& finish) {
  constexpr int64_t width = 512;
  int64_t height = rows_of_block(cols);
  int64_t row_blocks = ceil_div(rows, height), col_blocks = ceil_div(cols, width);
  parallel(row_blocks * col_blocks, [&](int64_t task) {
    int64_t i = task / col_blocks, j = task % col_blocks;
    block(partials + (i * cols + j * width) * values, i * height, min_of(rows, (i + 1) * height), j * width,
          min_of(cols, (j + 1) * width));
  });
  parallel(col_blocks, [&](int64_t j) { finish(j * width, min_of(cols, (j + 1) * width), row_blocks); });
}

}  // namespace flow::FLOW_ISA
