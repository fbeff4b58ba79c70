// What the products and the convolutions share: tiles of C, a panel of B under a block of rows, and the
// epilogue behind it.
#pragma once

#include "core/scratch.h"
#include "core/thread_pool.h"
#include "gemm.h"
#include "gemm_epilogue.h"
#include "gemm_pack.h"

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

struct Range {
  int64_t begin, end;
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

/** The k for which the columns n0 … n0 + columns of B hold anything. */
template <class T>
Range depth_range(const Product<T>& p, int64_t n0, int columns) {
  const int32_t* extent = p.b.extent;
  if (p.b.mask == MaskKind::columns) {
    int32_t longest = 0;
    for (int i = 0; i < columns; ++i) longest = extent[n0 + i] > longest ? extent[n0 + i] : longest;
    return {0, longest};
  }
  if (p.b.mask == MaskKind::depth) {
    int64_t begin = 0, end = p.k;
    while (begin < end && extent[begin] <= n0) ++begin;
    while (end > begin && extent[end - 1] <= n0) --end;
    return {begin, end};
  }
  return {0, p.k};
}

/** Where the two registers of a panel begin and end to hold anything: a staircase has finer steps than a panel is wide. */
struct Ragged {
  Range first, last;

  int64_t first_only(int64_t k0, int64_t k1) const { return clamp_to(last.begin - k0, 0, k1 - k0); }
  int64_t last_only(int64_t k0, int64_t k1) const {
    return clamp_to(k1 - first.end, 0, k1 - k0 - first_only(k0, k1));
  }
};

template <class T>
Ragged ragged_of(const Product<T>& p, int64_t n0, int columns, const Range& all) {
  constexpr int w = Vec<T>::width;
  if (columns > w && p.b.mask == MaskKind::columns) return {depth_range(p, n0, w), depth_range(p, n0 + w, columns - w)};
  Ragged ragged = {all, all};
  if (columns > w && p.b.mask == MaskKind::depth) {
    int64_t& begin = ragged.last.begin;
    while (begin < all.end && p.b.extent[begin] <= n0 + w) ++begin;
  }
  return ragged;
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

template <class T>
FLOW_INLINE void zero(T* p, int64_t n) {
  __builtin_memset(p, 0, static_cast<size_t>(n) * sizeof(T));
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

/** One tile over one block of K. `first` and `last` say which block it is. */
template <class T>
FLOW_INLINE void run_tile(const Product<T>& p, int64_t m0, int rows, int64_t n0, int columns, int64_t k0, int64_t k1,
                          const T* panel, int64_t panel_stride, const Ragged& ragged, bool first, bool last) {
  const Epilogue<T>& e = p.epilogue;
  T* c = p.c + m0 * p.ldc + n0;
  int live = columns;
  if (p.b.mask == MaskKind::rows) {
    int64_t longest = 0;
    for (int r = 0; r < rows; ++r) longest = p.b.extent[m0 + r] > longest ? p.b.extent[m0 + r] : longest;
    live = static_cast<int>(clamp_to(longest - n0, 0, columns));
    if (live == 0) return;  // zeroed by zero_outside
  }
  Tile<T> t;
  const bool by_rows = !p.a_packed && !p.a_transposed;
  if (p.a_packed) {
    t.a = p.a_packed + m0 * p.k + k0 * rows;
    t.a_stride = rows;
  } else {
    t.a = p.a_transposed ? p.a + k0 * p.lda + m0 : p.a + m0 * p.lda + k0;
    t.a_stride = p.lda;
  }
  t.b = panel;
  t.b_stride = panel_stride;
  t.depth = k1 - k0;
  t.first_only = ragged.first_only(k0, k1);
  t.last_only = ragged.last_only(k0, k1);
  t.c = c;
  t.ldc = p.ldc;
  t.columns = live;
  const bool slow = has_slow_part(e);
  t.start = !first || e.accumulate ? TileStart::c : e.bias ? TileStart::bias : TileStart::zero;
  t.relu = last && !slow && e.act == Activation::relu;
  t.bias = e.bias ? e.bias + n0 : nullptr;
  t.gate = last && !slow && e.gate ? e.gate + m0 * e.gate_ld + n0 : nullptr;
  t.gate_ld = e.gate_ld;
  tile_function<T>(rows, live, by_rows)(t);
  if (!last) return;
  if (slow) finish(e, m0, rows, n0, live, c, p.ldc);
  if (p.b.mask == MaskKind::rows) {
    for (int r = 0; r < rows; ++r) {
      const int64_t seen = clamp_to(p.b.extent[m0 + r] - n0, 0, live);
      zero(c + r * p.ldc + seen, live - seen);
    }
  }
}

/** The tiles of a block of rows over a panel. `packed` is its packed B, or null: then it is packed here. */
template <class T>
void run_panel(const Product<T>& p, const RowTiles& tiles, int64_t tile0, int64_t tile1, int64_t panel,
               const T* packed, T* workspace) {
  const int64_t n0 = panel * kPanelColumns<T>;
  const int columns = static_cast<int>(lesser(kPanelColumns<T>, p.n - n0));
  const int64_t panel_stride = panel_vectors<T>(columns) * Vec<T>::width;
  const bool in_place = tile1 - tile0 <= kFewTiles && !p.b.transposed && p.b.mask != MaskKind::depth &&
                        columns % Vec<T>::width == 0;
  const Range range = depth_range(p, n0, columns);
  const Ragged ragged = ragged_of(p, n0, columns, range);
  const int64_t depth = range.end - range.begin;
  const int64_t blocks = depth > kDepth ? up_div(depth, kDepth) : 1;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = range.begin + block * depth / blocks;
    const int64_t k1 = range.begin + (block + 1) * depth / blocks;
    const T* b = workspace;
    int64_t stride = panel_stride;
    if (packed) {
      b = packed + (k0 - range.begin) * stride;
    } else if (in_place) {
      b = p.b.b + k0 * p.b.ldb + n0;
      stride = p.b.ldb;
    } else {
      pack_panel(p.b, k0, k1, n0, columns, workspace);
    }
    for (int64_t tile = tile0; tile < tile1; ++tile) {
      const int64_t m0 = tiles.start(tile);
      run_tile(p, m0, static_cast<int>(tiles.start(tile + 1) - m0), n0, columns, k0, k1, b, stride, ragged, block == 0,
               block == blocks - 1);
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
