// What the products and the convolutions share: tiles of C, a panel of B under a block of rows, and the
// epilogue behind it.
#pragma once

#include "core/scratch.h"
#include "core/thread_pool.h"
#include "gemm.h"
#include "gemm_epilogue.h"
#include "gemm_staircase.h"

namespace flow::FLOW_ISA {

#if defined(__AVX512F__)
// A panel of it is 64 KiB and streams from the second-level cache, 128 bytes per 12 cycles: measured 4 % better
// than 256, which stays in the first level but starts and ends twice as many tiles.
inline constexpr int64_t kDepth = 512;
#else
inline constexpr int64_t kDepth = 384;  // 24 KiB with AVX2, 12 KiB with SSE2 and NEON
#endif
inline constexpr int64_t kFewPanels = 2;  // with so few panels, packing A costs more than it brings
// The same of a piece of K, whose rows stay in the second-level cache (96 columns: 10 % of a weight gradient).
inline constexpr int64_t kFewPanelsOfPiece = 4;
// The same of B. A panel in place streams from the second-level cache, which is no slower than from the first: measured 5 to
// 10 % better up to 20 tiles for weight gradients, where B is as long as it is seldom used.
inline constexpr int64_t kFewTiles = 144 / kTileRows;
inline constexpr int64_t kPanelGroupBytes = 512 << 10;  // packed B that stays in the second-level cache

FLOW_INLINE constexpr int64_t up_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
FLOW_INLINE constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }
FLOW_INLINE constexpr int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

template <class T>
struct Product {
  int64_t m, n, k;
  const T* a;
  int64_t lda;
  bool a_transposed;
  PackSource<T> b;
  T* c;
  int64_t ldc;
  Epilogue<T> epilogue;
  // A that was packed before: tile at row r starts at a_packed + r·k.
  const T* a_packed = nullptr;
};

/** Tiles of nearly equal height: no short one at the end. */
struct RowTiles {
  int64_t rows, tiles;
  explicit RowTiles(int64_t m) : rows(m), tiles(up_div(m, kTileRows)) {}
  int64_t start(int64_t tile) const { return tile * rows / tiles; }
};

template <class T>
int64_t panels_of(int64_t n) {
  return up_div(n, kPanelColumns<T>);
}

/** Everything of the epilogue that is left for a pass over the finished block. */
template <class T>
bool has_slow_part(const Epilogue<T>& e) {
  return (e.gate && e.gate_act != Activation::relu) || (e.act != Activation::none && e.act != Activation::relu) || (e.bias && e.accumulate);
}

template <class T>
void finish(const Epilogue<T>& e, int64_t m0, int64_t rows, int64_t n0, int64_t columns, T* c, int64_t ldc) {
  finish_block<T>(rows, columns, c, ldc, e.bias && e.accumulate ? e.bias + n0 : nullptr, e.act,
                  static_cast<T>(e.act_param), e.gate ? e.gate + m0 * e.gate_ld + n0 : nullptr, e.gate_ld,
                  e.gate_act, static_cast<T>(e.gate_param));
}

/** Zeros where the staircase of a weight gradient ends, in rows m0 … m1 and columns n0 … n1 (and not beyond the last). */
template <class T>
void zero_outside(const Product<T>& p, int64_t m0, int64_t m1, int64_t n0, int64_t n1) {
  if (p.b.mask != MaskKind::rows) return;
  for (int64_t m = m0; m < m1; ++m) {
    const int64_t end = lesser(n1, p.n), seen = clamp_to(p.b.extent[m], n0, end);
    zero(p.c + m * p.ldc + seen, end - seen);
  }
}

/** The tiles of a block of rows over a panel. `packed` is its packed B, or null: then it is packed here, or read in place. */
template <class T>
void run_panel(const Product<T>& p, const RowTiles& tiles, int64_t tile0, int64_t tile1, int64_t panel,
               const T* packed, T* workspace) {
  const Epilogue<T>& e = p.epilogue;
  const int64_t n0 = panel * kPanelColumns<T>;
  const int columns = static_cast<int>(lesser(kPanelColumns<T>, p.n - n0));
  const int64_t panel_stride = panel_vectors<T>(columns) * Vec<T>::width;
  const Range range = depth_range(p.b, p.k, n0, columns);
  const Ragged ragged = ragged_of(p.b, n0, columns, range);
  const bool in_place = !packed && tile1 - tile0 <= kFewTiles && !p.b.transposed && columns % Vec<T>::width == 0;
  const int64_t placed = in_place ? whole_from(p.b, n0, columns, range) : range.end;  // from here on B is read in place
  const int64_t depth = range.end - range.begin;
  const int64_t blocks = depth > kDepth ? up_div(depth, kDepth) : 1;
  const bool by_rows = !p.a_packed && !p.a_transposed;
  const bool slow = has_slow_part(e);
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = range.begin + block * depth / blocks;
    const int64_t k1 = range.begin + (block + 1) * depth / blocks;
    const int64_t k_placed = clamp_to(placed, k0, k1);
    const bool first = block == 0, last = block == blocks - 1;
    Terms<T> terms[2];
    int parts = 0;
    if (k_placed > k0) {
      if (!packed) pack_panel(p.b, k0, k_placed, n0, columns, workspace);
      const T* from = packed ? packed + (k0 - range.begin) * panel_stride : workspace;
      terms[parts++] = terms_of(from, panel_stride, k0, k_placed, ragged);
    }
    if (k_placed < k1) terms[parts++] = terms_of(p.b.b + k_placed * p.b.ldb + n0, p.b.ldb, k_placed, k1, ragged);

    Tile<T> t;
    t.a_stride = p.lda;
    t.terms = terms;
    t.parts = parts;
    t.ldc = p.ldc;
    t.columns = columns;
    t.start = !first || e.accumulate ? TileStart::c : e.bias ? TileStart::bias : TileStart::zero;
    t.relu = last && !slow && e.act == Activation::relu;
    t.bias = e.bias ? e.bias + n0 : nullptr;
    t.gate = nullptr;
    t.gate_ld = e.gate_ld;
    const bool gated = last && !slow && e.gate;
    int64_t m1 = tiles.start(tile0);
    for (int64_t tile = tile0; tile < tile1; ++tile) {
      const int64_t m0 = m1;
      m1 = tiles.start(tile + 1);
      const int rows = static_cast<int>(m1 - m0);
      Range seen = {p.n, p.n};
      if (p.b.mask == MaskKind::rows) {
        seen = extents_of(p.b.extent + m0, rows);
        if (seen.end <= n0) continue;  // zeroed by zero_outside
        t.columns = static_cast<int>(lesser(seen.end - n0, columns));
      }
      if (p.a_packed) {
        t.a = p.a_packed + m0 * p.k + k0 * rows;
        t.a_stride = rows;
      } else {
        t.a = p.a_transposed ? p.a + k0 * p.lda + m0 : p.a + m0 * p.lda + k0;
      }
      t.c = p.c + m0 * p.ldc + n0;
      if (gated) t.gate = e.gate + m0 * e.gate_ld + n0;
      tile_function<T>(rows, t.columns, by_rows)(t);
      if (!last) continue;
      if (slow) finish(e, m0, rows, n0, t.columns, t.c, p.ldc);
      if (seen.begin < n0 + t.columns) zero_ragged(p.b.extent + m0, rows, n0, t.columns, t.c, p.ldc);
    }
  }
}

template <class T>
T* workspace(int64_t elements, int slot) {
  // One register more than asked for: a tile of one register reads a whole one.
  return static_cast<T*>(scratch(static_cast<size_t>(elements) * sizeof(T) + kVectorBytes, slot));
}

/** parallel(tasks, body), or body one after another where threads would cost more than they bring. */
template <class F>
void run_tasks(int64_t tasks, bool serial, const F& body) {
  if (serial) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
  } else {
    parallel(tasks, body);
  }
}

/** Packs tiles of A(·, k0 … k1) to out + first row·(k1 − k0), each [k1 − k0][rows]. */
template <class T>
void pack_a(const Product<T>& p, const RowTiles& tiles, int64_t tile0, int64_t tile1, int64_t k0, int64_t k1,
            T* out) {
  // A few rows of all tiles at a time: the lines at the seams are then read once.
  constexpr int64_t step = 8;
  for (int64_t k = k0; k < k1; k += step) {
    const int64_t depth = lesser(step, k1 - k);
    for (int64_t tile = tile0; tile < tile1; ++tile) {
      const int64_t m0 = tiles.start(tile);
      const int rows = static_cast<int>(tiles.start(tile + 1) - m0);
      pack_tile(p.a + k * p.lda + m0, p.lda, rows, depth, out + m0 * (k1 - k0) + (k - k0) * rows);
    }
  }
}

}  // namespace flow::FLOW_ISA
