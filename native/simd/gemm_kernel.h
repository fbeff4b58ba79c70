// The micro-kernel of the products: a tile of C of R rows × NV registers, kept in registers while k runs.
//
// Sizes: the accumulators, one row of B and one broadcast of A have to fit the register file, and
// 2 fused multiply-adds of 4 cycles latency want 8 or more independent accumulators. With 32 registers
// (AVX-512, NEON) that is 12 rows × 2 registers, with 16 (AVX2, SSE2) 6 × 2. A tile of one register (the
// last columns of a narrow matrix) takes the same number of rows twice over on 16-register machines only
// if its A were packed anew, so it keeps them.
#pragma once

#include "prefetch.h"
#include "vec.h"

namespace flow::FLOW_ISA {

#if defined(__AVX512F__) || defined(FLOW_ARM)
inline constexpr int kTileRows = 12;
#else
inline constexpr int kTileRows = 6;
#endif
inline constexpr int kTileVectors = 2;
/** Columns of a full panel of B. */
template <class T>
inline constexpr int kPanelColumns = kTileVectors * Vec<T>::width;

/** Where a tile starts: at zero, at the bias, or at what C holds. */
enum class TileStart : int32_t { zero, bias, c };

/** Some k of a panel of B: first those for which only the first of two registers holds anything, last those of the last one only. */
template <class T>
struct Terms {
  const T* b;  // B(k, column) = b[k·stride + column], whole registers readable
  int64_t stride;
  int64_t first_only, both, last_only;
};

template <class T>
struct Tile {
  const T* a;         // A(row, k) = a[row·a_stride + k] by rows, a[k·a_stride + row] by columns
  int64_t a_stride;
  const Terms<T>* terms;  // one after the other: what of B was packed, what is read in place
  int parts;
  T* c;
  int64_t ldc;
  int columns;        // (NV − 1)·width < columns ≤ NV·width: what is read and written in C and bias
  TileStart start;
  bool relu;          // max(0, ·) before the store
  const T* bias;
  const T* gate;      // null, or a matrix of whose elements not above 0 make zeros of C
  int64_t gate_ld;
};

/** acc[·][v] += Σ_k A(·, k)·B(k, v) over the next `count` k, for the registers From ≤ v < To; a and b go on by as many. */
template <int From, int To, bool ByRows, class T, class V, int R, int NV>
FLOW_INLINE void add_terms(int64_t count, const T*& a, int64_t a_stride, const T*& b, int64_t b_stride, V (&acc)[R][NV]) {
  for (int64_t k = count; k > 0; --k) {
    V row[NV];
    FLOW_UNROLL
    for (int v = From; v < To; ++v) row[v] = load<V>(b + v * V::width);
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      const V x(ByRows ? a[r * a_stride] : a[r]);
      FLOW_UNROLL
      for (int v = From; v < To; ++v) acc[r][v] = fma(x, row[v], acc[r][v]);
    }
    a += ByRows ? 1 : a_stride;
    b += b_stride;
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, int R, int NV, bool ByRows>
FLOW_NOINLINE void tile_kernel(const Tile<T>& t) {
  using V = Vec<T>;
  constexpr int w = V::width;
  V acc[R][NV];
  const int last = t.columns - (NV - 1) * w;
  const int64_t ldc = t.ldc;
  T* const c = t.c;

  // Asked for now, the lines of C and of the gate are there when the last k is done.
  if (t.gate) {
    const T* gate = t.gate;
    FLOW_UNROLL
    for (int r = 0; r < R; ++r, gate += t.gate_ld) {
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) __builtin_prefetch(gate + v * w);
    }
  }
  if (t.start != TileStart::c) {
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) prefetch_to_write(reinterpret_cast<uintptr_t>(c + r * ldc + v * w));
    }
  }
  if (t.start == TileStart::c) {
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV - 1; ++v) acc[r][v] = load<V>(c + r * ldc + v * w);
      acc[r][NV - 1] = load_partial<V>(c + r * ldc + (NV - 1) * w, last);
    }
  } else {
    V first[NV];
    FLOW_UNROLL
    for (int v = 0; v < NV; ++v) first[v] = V(T(0));
    if (t.start == TileStart::bias) {
      FLOW_UNROLL
      for (int v = 0; v < NV - 1; ++v) first[v] = load<V>(t.bias + v * w);
      first[NV - 1] = load_partial<V>(t.bias + (NV - 1) * w, last);
    }
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = first[v];
    }
  }

  const T* a = t.a;
  const int64_t a_stride = t.a_stride;
  for (const Terms<T>*terms = t.terms, *end = terms + t.parts; terms != end; ++terms) {
    const T* b = terms->b;
    const int64_t b_stride = terms->stride;
    if constexpr (NV == 2) add_terms<0, 1, ByRows>(terms->first_only, a, a_stride, b, b_stride, acc);
    add_terms<0, NV, ByRows>(terms->both, a, a_stride, b, b_stride, acc);
    if constexpr (NV == 2) add_terms<1, 2, ByRows>(terms->last_only, a, a_stride, b, b_stride, acc);
  }

  if (t.relu) {
    const V zero(T(0));
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) acc[r][v] = max(zero, acc[r][v]);
    }
  }
  if (t.gate) {
    // A choice, not a product: inf·0 has to be 0 where a ReLU is differentiated.
    const V zero(T(0));
    const T* gate = t.gate;
    FLOW_UNROLL
    for (int r = 0; r < R; ++r, gate += t.gate_ld) {
      FLOW_UNROLL
      for (int v = 0; v < NV - 1; ++v) {
        acc[r][v] = select(load<V>(gate + v * w) > zero, acc[r][v], zero);
      }
      acc[r][NV - 1] = select(load_partial<V>(gate + (NV - 1) * w, last) > zero, acc[r][NV - 1], zero);
    }
  }
  if (last == w) {
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV; ++v) store(c + r * ldc + v * w, acc[r][v]);
    }
  } else {
    FLOW_UNROLL
    for (int r = 0; r < R; ++r) {
      FLOW_UNROLL
      for (int v = 0; v < NV - 1; ++v) store(c + r * ldc + v * w, acc[r][v]);
      store_partial(c + r * ldc + (NV - 1) * w, acc[r][NV - 1], last);
    }
  }
}

template <class T, int NV, bool ByRows>
FLOW_INLINE TileFunction<T> tile_of_rows(int rows) {
#define FLOW_TILE(r) (r <= kTileRows ? tile_kernel<T, (r <= kTileRows ? r : 1), NV, ByRows> : nullptr)
  static constexpr TileFunction<T> table[] = {
      FLOW_TILE(1), FLOW_TILE(2), FLOW_TILE(3), FLOW_TILE(4),  FLOW_TILE(5),  FLOW_TILE(6),
      FLOW_TILE(7), FLOW_TILE(8), FLOW_TILE(9), FLOW_TILE(10), FLOW_TILE(11), FLOW_TILE(12),
  };
#undef FLOW_TILE
  return table[rows - 1];
}

/** The kernel for a tile of 1 … kTileRows rows and 1 … kPanelColumns columns. */
template <class T>
FLOW_INLINE TileFunction<T> tile_function(int rows, int columns, bool by_rows) {
  if (columns > Vec<T>::width) {
    return by_rows ? tile_of_rows<T, 2, true>(rows) : tile_of_rows<T, 2, false>(rows);
  }
  return by_rows ? tile_of_rows<T, 1, true>(rows) : tile_of_rows<T, 1, false>(rows);
}

}  // namespace flow::FLOW_ISA
