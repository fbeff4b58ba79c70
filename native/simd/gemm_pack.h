// Packing: the operands of a product copied into the order in which the micro-kernel reads them.
//
// A panel of B is [depth][panel_width], panel_width one or two registers, with zeros in the columns beyond
// the matrix and in the entries that a staircase masks out: those are never read from the weight.
// A tile of a transposed A is [depth][rows].
#pragma once

#include "gemm_kernel.h"
#include "shuffle.h"

namespace flow::FLOW_ISA {

FLOW_INLINE int64_t clamp_to(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

/** Which entries of an operand or of the result a staircase keeps. */
enum class MaskKind : int32_t {
  none,
  columns,   // B(k, n) for k < extent[n]: forward
  depth,     // B(k, n) for n < extent[k]: input gradient
  rows,      // C(m, n) for n < extent[m]: weight gradient
};

template <class T>
struct PackSource {
  const T* b;
  int64_t ldb;
  bool transposed;  // B(k, n) = b[n·ldb + k] instead of b[k·ldb + n]
  MaskKind mask;
  const int32_t* extent;
};

/** Registers in a row of a panel of so many columns. */
template <class T>
FLOW_INLINE int panel_vectors(int columns) {
  return columns > Vec<T>::width ? kTileVectors : 1;
}

template <class T>
FLOW_INLINE void pack_rows(const PackSource<T>& s, int64_t k0, int64_t k1, int64_t n0, int columns,
                           T* panel) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int vectors = panel_vectors<T>(columns);
  const int stride = vectors * w;
  for (int64_t k = k0; k < k1; ++k, panel += stride) {
    const T* row = s.b + k * s.ldb + n0;
    int64_t live = columns;
    if (s.mask == MaskKind::depth) live = clamp_to(s.extent[k] - n0, 0, columns);
    for (int v = 0; v < vectors; ++v) {
      const int64_t n = clamp_to(live - v * w, 0, w);
      store(panel + v * w, n == w ? load<V>(row + v * w) : load_partial<V>(row + v * w, static_cast<int>(n)));
    }
  }
}

template <class T>
FLOW_INLINE void pack_columns(const PackSource<T>& s, int64_t k0, int64_t k1, int64_t n0, int columns,
                              T* panel) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int vectors = panel_vectors<T>(columns);
  const int stride = vectors * w;
  for (int v = 0; v < vectors; ++v) {
    const int live = static_cast<int>(clamp_to(columns - v * w, 0, w));
    int64_t whole_to = live == w ? k1 : k0;  // up to here no entry is masked out
    if (s.mask == MaskKind::columns) {
      for (int i = 0; i < live; ++i) whole_to = s.extent[n0 + v * w + i] < whole_to ? s.extent[n0 + v * w + i] : whole_to;
    }
    for (int64_t k = k0; k < k1; k += w) {
      const int count = static_cast<int>(clamp_to(k1 - k, 0, w));
      const T* column = s.b + (n0 + v * w) * s.ldb + k;
      V square[w];
      if (k + w <= whole_to) {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) square[i] = load<V>(column + i * s.ldb);
      } else {
        for (int i = 0; i < w; ++i) {
          int64_t seen = i < live ? count : 0;
          if (i < live && s.mask == MaskKind::columns) {
            seen = clamp_to(s.extent[n0 + v * w + i] - k, 0, count);
          }
          square[i] = seen > 0 ? load_partial<V>(column + i * s.ldb, static_cast<int>(seen)) : V(T(0));
        }
      }
      transpose(square);
      T* out = panel + (k - k0) * stride + v * w;
      if (count == w) {
        FLOW_UNROLL
        for (int i = 0; i < w; ++i) store(out + i * stride, square[i]);
      } else {
        for (int i = 0; i < count; ++i) store(out + i * stride, square[i]);
      }
    }
  }
}

/** Packs B(k0 … k1, n0 … n0 + columns) into [k1 − k0][panel_vectors·width]. */
template <class T>
FLOW_NOINLINE void pack_panel(const PackSource<T>& s, int64_t k0, int64_t k1, int64_t n0, int columns,
                              T* panel) {
  if (s.transposed) {
    pack_columns(s, k0, k1, n0, columns, panel);
  } else {
    pack_rows(s, k0, k1, n0, columns, panel);
  }
}

template <class T, int R>
void pack_tile_rows(const T* a, int64_t lda, int64_t depth, T* tile) {
  for (int64_t k = 0; k < depth; ++k, a += lda, tile += R) __builtin_memcpy(tile, a, R * sizeof(T));
}

/** Packs the transposed tile A(0 … rows, 0 … depth), a[k·lda + row], into [depth][rows]. */
template <class T>
FLOW_INLINE void pack_tile(const T* a, int64_t lda, int rows, int64_t depth, T* tile) {
#define FLOW_PACK(r) pack_tile_rows<T, r>
  static constexpr void (*table[])(const T*, int64_t, int64_t, T*) = {
      FLOW_PACK(1), FLOW_PACK(2), FLOW_PACK(3), FLOW_PACK(4),  FLOW_PACK(5),  FLOW_PACK(6),
      FLOW_PACK(7), FLOW_PACK(8), FLOW_PACK(9), FLOW_PACK(10), FLOW_PACK(11), FLOW_PACK(12),
  };
#undef FLOW_PACK
  table[rows - 1](a, lda, depth, tile);
}

}  // namespace flow::FLOW_ISA
