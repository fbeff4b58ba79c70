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

// Σ f(in[i] …), f of Vec<T>: terms in the type of the data, their sum in float64.
template <class T, class F, class... In>
FLOW_INLINE double sum_terms(int64_t n, const F& f, const In*... in) {
  constexpr int w = Vec<T>::width;
  Vec<double> total(0.0);
  double rest = 0;
  for (int64_t i = 0; i < n; i += w) {
    int count = static_cast<int>(min_of(w, n - i));
    if (count == w) {
      const Vec<T> term = f(load<Vec<T>>(in + i)...);
      if constexpr (sizeof(T) == 8) {
        total += term;
      } else {
        Vec<double> low, high;
        widen(term, low, high);
        total += low + high;
      }
    } else {
      T part[w];
      store(part, f(load_partial<Vec<T>>(in + i, count)...));
      for (int k = 0; k < count; ++k) rest += static_cast<double>(part[k]);
    }
  }
  return horizontal_sum(total) + rest;
}

// A register of columns, or the first n lanes of one at the end of a row (the others are 0).
struct Full {};
struct Some {
  int n;
};
FLOW_INLINE Vec<double> load_double(const double* p, Full) { return load<Vec<double>>(p); }
FLOW_INLINE Vec<double> load_double(const float* p, Full) { return load_widened(p); }
FLOW_INLINE Vec<double> load_double(const double* p, Some lanes) { return load_partial<Vec<double>>(p, lanes.n); }
FLOW_INLINE Vec<double> load_double(const float* p, Some lanes) {
  Vec<double> low, high;
  widen(load_partial<Vec<float>>(p, lanes.n), low, high);
  return low;
}

// Folds the rows of a block into each of its columns: f(accumulators, r, c, lanes) adds to K accumulators what row r has in
// the columns from c on (load_double(…, lanes)); the results go to out[k][0 … n). Row by row, as the memory lies; four rows
// for each turn of the accumulators through the cache.
template <int K, class F>
FLOW_INLINE void fold_columns(int64_t rows, int64_t n, double* const (&out)[K], const F& f) {
  using V = Vec<double>;
  constexpr int w = V::width;
  int64_t whole = n / w * w, r = 0;
  for (int k = 0; k < K; ++k)
    for (int64_t c = 0; c < n; ++c) out[k][c] = 0;
  for (; r < rows; r += 4) {
    int64_t end = min_of(rows, r + 4);
    for (int64_t c = 0; c < whole; c += w) {
      V total[K];
      FLOW_UNROLL
      for (int k = 0; k < K; ++k) total[k] = load<V>(out[k] + c);
      if (end == r + 4) {
        FLOW_UNROLL
        for (int i = 0; i < 4; ++i) f(total, r + i, c, Full{});
      } else {
        for (int64_t i = r; i < end; ++i) f(total, i, c, Full{});
      }
      FLOW_UNROLL
      for (int k = 0; k < K; ++k) store(out[k] + c, total[k]);
    }
  }
  if (whole < n) {
    Some lanes{static_cast<int>(n - whole)};
    V total[K];
    for (int k = 0; k < K; ++k) total[k] = V(0);
    for (int64_t i = 0; i < rows; ++i) f(total, i, whole, lanes);
    for (int k = 0; k < K; ++k) store_partial(out[k] + whole, total[k], lanes.n);
  }
}

inline void add_span(double* __restrict y, const double* __restrict x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

// Elements of a block of a reduction.
inline constexpr int64_t reduce_block = 8192;
// Columns of a block of a reduction over rows: whole rows where they are not long, because memory is fetched in order.
inline constexpr int64_t block_columns = 1024;

// Rows of a block of a reduction over rows.
inline int64_t rows_of_block(int64_t cols) { return max_of(16, reduce_block / max_of(1, min_of(cols, block_columns))); }

// Calls block(partial, first_row, last_row, first_col, last_col) for a grid of blocks, where `partial` has room for `values`
// doubles a column; then, for the columns of each block, finish(first_col, last_col, partial, row_blocks, step), where the
// partial of the next row block is `step` doubles on.
template <class B, class E>
inline void reduce_rows(int64_t rows, int64_t cols, double* partials, int values, const B& block, const E& finish) {
  int64_t height = rows_of_block(cols);
  int64_t row_blocks = ceil_div(rows, height), col_blocks = ceil_div(cols, block_columns);
  parallel(row_blocks * col_blocks, [&](int64_t task) {
    int64_t i = task / col_blocks, j = task % col_blocks;
    block(partials + (i * cols + j * block_columns) * values, i * height, min_of(rows, (i + 1) * height),
          j * block_columns, min_of(cols, (j + 1) * block_columns));
  });
  parallel(col_blocks, [&](int64_t j) {
    finish(j * block_columns, min_of(cols, (j + 1) * block_columns), partials + j * block_columns * values, row_blocks,
           cols * values);
  });
}

}  // namespace flow::FLOW_ISA
