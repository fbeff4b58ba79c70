// out [rows, columns] += in [rows, depth] · W for a few rows, W packed as [depth][columns] in whole registers: each sum runs over
// the depth in order, one fused multiply-add a term, so that it has the bits of a product of gemm.h that starts at `out`.
#pragma once

#include "vec.h"

namespace flow::FLOW_ISA {

template <class T, int Rows, int NV>
FLOW_INLINE void row_product_block(int64_t depth, const T* in, int64_t in_ld, const T* w, int64_t w_ld, T* out, int64_t out_ld) {
  using V = Vec<T>;
  V sum[Rows][NV];
  FLOW_UNROLL
  for (int r = 0; r < Rows; ++r) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) sum[r][v] = load<V>(out + r * out_ld + v * V::width);
  }
  for (int64_t k = 0; k < depth; ++k, w += w_ld) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) {
      const V weight = load<V>(w + v * V::width);
      FLOW_UNROLL
      for (int r = 0; r < Rows; ++r) sum[r][v] = fma(V(in[r * in_ld + k]), weight, sum[r][v]);
    }
  }
  FLOW_UNROLL
  for (int r = 0; r < Rows; ++r) {
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) store(out + r * out_ld + v * V::width, sum[r][v]);
  }
}

template <class T, int Rows, int NV>
FLOW_NOINLINE void row_product_rows(int64_t columns, int64_t depth, const T* in, int64_t in_ld, const T* w, T* out, int64_t out_ld) {
  constexpr int width = Vec<T>::width;
  int64_t c = 0;
  for (; c + NV * width <= columns; c += NV * width)
    row_product_block<T, Rows, NV>(depth, in, in_ld, w + c, columns, out + c, out_ld);
  if constexpr (NV > 2) {
    for (; c + 2 * width <= columns; c += 2 * width)
      row_product_block<T, Rows, 2>(depth, in, in_ld, w + c, columns, out + c, out_ld);
  }
  for (; c < columns; c += width) row_product_block<T, Rows, 1>(depth, in, in_ld, w + c, columns, out + c, out_ld);
}

/** `columns` is a multiple of the register width. */
template <class T>
inline void row_product(int64_t rows, int64_t columns, int64_t depth, const T* in, int64_t in_ld, const T* w, T* out,
                        int64_t out_ld) {
#if defined(__AVX512F__) || defined(FLOW_ARM)
  constexpr int one = 8, two = 8, four = 4;
#else
  constexpr int one = 8, two = 4, four = 2;
#endif
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) row_product_rows<T, 4, four>(columns, depth, in + r * in_ld, in_ld, w, out + r * out_ld, out_ld);
  if (r + 2 <= rows) {
    row_product_rows<T, 2, two>(columns, depth, in + r * in_ld, in_ld, w, out + r * out_ld, out_ld);
    r += 2;
  }
  if (r < rows) row_product_rows<T, 1, one>(columns, depth, in + r * in_ld, in_ld, w, out + r * out_ld, out_ld);
}

}  // namespace flow::FLOW_ISA
