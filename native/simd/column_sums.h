// Sums of columns, by blocks of kSumRows rows: each in T and in order, the blocks then in double. Whoever takes the blocks on
// the way, while it has the rows in hand, gets the bits of column_sums.
#pragma once

#include "vec.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t kSumRows = 256;

/** out [columns] = sums of a block of rows. */
template <class T>
FLOW_INLINE void sum_rows(int64_t rows, int64_t columns, const T* a, int64_t lda, T* out) {
  using V = Vec<T>;
  constexpr int w = V::width;
  int64_t n = 0;
  for (; n + 4 * w <= columns; n += 4 * w) {
    V s0(T(0)), s1(T(0)), s2(T(0)), s3(T(0));
    for (int64_t r = 0; r < rows; ++r) {
      const T* row = a + r * lda + n;
      s0 += load<V>(row);
      s1 += load<V>(row + w);
      s2 += load<V>(row + 2 * w);
      s3 += load<V>(row + 3 * w);
    }
    store(out + n, s0);
    store(out + n + w, s1);
    store(out + n + 2 * w, s2);
    store(out + n + 3 * w, s3);
  }
  for (; n < columns; n += w) {
    const int count = static_cast<int>(columns - n < w ? columns - n : w);
    V s(T(0));
    for (int64_t r = 0; r < rows; ++r) s += load_partial<V>(a + r * lda + n, count);
    store_partial(out + n, s, count);
  }
}

/** sum [columns] = the sums of blocks [blocks, columns] (+ sum if accumulate). */
template <class T>
FLOW_INLINE void add_sums(int64_t blocks, int64_t columns, const T* partial, T* sum, bool accumulate = false) {
  for (int64_t n = 0; n < columns; ++n) {
    double total = accumulate ? static_cast<double>(sum[n]) : 0;
    for (int64_t b = 0; b < blocks; ++b) total += static_cast<double>(partial[b * columns + n]);
    sum[n] = static_cast<T>(total);
  }
}

}  // namespace flow::FLOW_ISA
