// The products: how the work is cut, packed and handed to the micro-kernel.
//
// C is cut into tiles of at most kTileRows rows and panels of kPanelColumns columns. A panel of B is packed
// once; the tiles of a block of rows run over it while it is in the first- or second-level cache, K in
// blocks of kDepth. Three cuts into tasks, chosen by the sizes:
// - many panels: a task is a panel with all rows, and packs its panel itself, block by block of K;
// - few panels or many rows: the panels are packed first, a task is a block of rows with a group of panels;
// - a small C with a long K (weight gradients): a task is a piece of K, the partial products are added in
//   order afterwards.
#include "gemm.h"

#include "core/scratch.h"
#include "core/thread_pool.h"
#include "gemm_epilogue.h"
#include "gemm_pack.h"

namespace flow::FLOW_ISA {
namespace {

#if defined(__AVX512F__)
// A panel of it is 64 KiB and streams from the second-level cache, 128 bytes per 12 cycles: measured 4 % better
// than 256, which stays in the first level but starts and ends twice as many tiles.
constexpr int64_t kDepth = 512;
#else
constexpr int64_t kDepth = 384;  // 24 KiB with AVX2, 12 KiB with SSE2 and NEON
#endif
constexpr int64_t kFewPanels = 2;  // with so few panels (tiles), packing A (B) costs more than it brings
constexpr int64_t kFewTiles = 2;
constexpr int64_t kRowsOfOneBlock = 768;  // up to so many rows there is one block of rows
constexpr int64_t kRowsOfManyBlocks = 240;
constexpr int64_t kPanelGroupBytes = 512 << 10;  // packed B that stays in the second-level cache
constexpr int64_t kSplitElements = 64 << 10;     // a C this small may be split along K
constexpr int64_t kLongDepth = 2048;
constexpr int64_t kSplitDepth = 512;
constexpr int64_t kSplitPieces = 32;
constexpr int64_t kSerialWork = 32 << 10;   // multiply-adds below which one task does it all
constexpr int64_t kSerialBytes = 64 << 10;  // operands below which packing is not worth a second thread
constexpr int64_t kEnoughTasks = 16;        // so many panels keep the threads busy without cutting rows
constexpr int64_t kTilesOfStrip = 4;        // packed together, since neighbours share cache lines

constexpr int64_t up_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

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

/** Zeros where the staircase of a weight gradient ends, in rows m0 … m1. */
template <class T>
void zero_outside(const Product<T>& p, int64_t m0, int64_t m1) {
  if (p.b.mask != MaskKind::rows) return;
  for (int64_t m = m0; m < m1; ++m) {
    const int64_t seen = clamp_to(p.b.extent[m], 0, p.n);
    zero(p.c + m * p.ldc + seen, p.n - seen);
  }
}

/** One tile over one block of K. `first` and `last` say which block it is. */
template <class T>
FLOW_INLINE void run_tile(const Product<T>& p, int64_t m0, int rows, int64_t n0, int columns, int64_t k0, int64_t k1,
                          const T* panel, int64_t panel_stride, bool first, bool last) {
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
      run_tile(p, m0, static_cast<int>(tiles.start(tile + 1) - m0), n0, columns, k0, k1, b, stride, block == 0,
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

/**
 * The tasks of a staircase by length, dealt to the threads to and fro like cards: position `task` of the pool's ranges → its
 * rank, 0 for the longest. Each range then holds as much work as the others.
 */
int64_t dealt(int64_t task, int64_t tasks) {
  const int64_t threads = thread_count();
  const int64_t rounds = tasks / threads;
  const int64_t thread = ((task + 1) * threads - 1) / tasks;
  const int64_t first = tasks * thread / threads;
  const int64_t round = task - first;
  if (round == rounds) return rounds * threads + first - thread * rounds;  // what does not go round: the shortest
  return round * threads + (round % 2 == 0 ? thread : threads - 1 - thread);
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

// A small C with a long K: pieces of K make partial products, added in the order of the pieces.
template <class T>
void run_split(const Product<T>& p) {
  const int64_t chunk = p.k > kSplitDepth * kSplitPieces ? up_div(p.k, kSplitPieces) : kSplitDepth;
  const int64_t pieces = up_div(p.k, chunk);
  const int64_t size = p.m * p.n;
  T* partial = workspace<T>(pieces * size, 0);
  const RowTiles tiles(p.m);
  parallel(pieces, [&](int64_t piece) {
    const int64_t k0 = piece * chunk;
    const int64_t k1 = lesser(p.k, k0 + chunk);
    Product<T> part = p;
    part.epilogue = {};
    part.k = k1 - k0;
    part.c = partial + piece * size;
    part.ldc = p.n;
    part.b.b += p.b.transposed ? k0 : k0 * p.b.ldb;
    if (p.a_transposed && panels_of<T>(p.n) > kFewPanels) {
      T* packed = workspace<T>(p.m * part.k, 2);
      pack_a(p, tiles, 0, tiles.tiles, k0, k1, packed);
      part.a_packed = packed;
    } else {
      part.a += p.a_transposed ? k0 * p.lda : k0;
    }
    T* work = workspace<T>(kDepth * kPanelColumns<T>, 3);
    for (int64_t panel = 0; panel < panels_of<T>(p.n); ++panel) {
      run_panel<T>(part, tiles, 0, tiles.tiles, panel, nullptr, work);
    }
  });
  const Epilogue<T>& e = p.epilogue;
  const int64_t rows_of_task = up_div(4096, p.n);
  parallel(up_div(p.m, rows_of_task), [&](int64_t task) {
    using V = Vec<T>;
    constexpr int w = V::width;
    const int64_t m0 = task * rows_of_task;
    const int64_t m1 = lesser(p.m, m0 + rows_of_task);
    for (int64_t m = m0; m < m1; ++m) {
      T* c = p.c + m * p.ldc;
      for (int64_t n = 0; n < p.n; n += w) {
        const int live = static_cast<int>(lesser(w, p.n - n));
        V sum = e.accumulate ? load_partial<V>(c + n, live) : V(T(0));
        if (e.bias) sum += load_partial<V>(e.bias + n, live);
        const T* from = partial + m * p.n + n;
        for (int64_t piece = 0; piece < pieces; ++piece) sum += load_partial<V>(from + piece * size, live);
        store_partial(c + n, sum, live);
      }
    }
    Epilogue<T> rest = e;
    rest.accumulate = false;
    finish(rest, m0, m1 - m0, 0, p.n, p.c + m0 * p.ldc, p.ldc);
    zero_outside(p, m0, m1);
  });
}

template <class T>
void run(Product<T> p) {
  if (p.m <= 0 || p.n <= 0) return;
  const bool no_k_mask = p.b.mask == MaskKind::none || p.b.mask == MaskKind::rows;
  if (no_k_mask && p.m * p.n <= kSplitElements && p.k >= kLongDepth) return run_split(p);

  const bool serial = p.m * p.n * p.k < kSerialWork;
  const RowTiles tiles(p.m);
  const int64_t panels = panels_of<T>(p.n);
  const bool pack = p.a_transposed && panels > kFewPanels;
  const bool by_panels =
      p.m <= kRowsOfOneBlock && (serial || panels >= kEnoughTasks || tiles.tiles <= kFewTiles);

  // First what all tasks read: tiles of a transposed A and, for blocks of rows, the panels of B.
  const int64_t strips = pack || p.b.mask == MaskKind::rows ? up_div(tiles.tiles, kTilesOfStrip) : 0;
  T* a_packed = pack ? workspace<T>(p.m * p.k, 0) : nullptr;
  const int64_t panel_elements = p.k * kPanelColumns<T>;
  T* b_packed = by_panels ? nullptr : workspace<T>(panels * panel_elements, 1);
  const bool little = serial || (p.m * p.k + p.n * p.k) * static_cast<int64_t>(sizeof(T)) < kSerialBytes;
  run_tasks(strips + (by_panels ? 0 : panels), little, [&](int64_t task) {
    if (task < strips) {
      const int64_t tile0 = task * kTilesOfStrip;
      const int64_t tile1 = lesser(tile0 + kTilesOfStrip, tiles.tiles);
      if (pack) pack_a(p, tiles, tile0, tile1, 0, p.k, a_packed);
      zero_outside(p, tiles.start(tile0), tiles.start(tile1));
      return;
    }
    const int64_t panel = task - strips;
    const int64_t n0 = panel * kPanelColumns<T>;
    const int columns = static_cast<int>(lesser(kPanelColumns<T>, p.n - n0));
    const Range range = depth_range(p, n0, columns);
    pack_panel(p.b, range.begin, range.end, n0, columns, b_packed + panel * panel_elements);
  });
  p.a_packed = a_packed;

  if (by_panels) {
    // The longest panels of a forward staircase stand last, those of a gradient first.
    const bool backwards = p.b.mask == MaskKind::columns;
    run_tasks(panels, serial, [&](int64_t task) {
      const int64_t rank = p.b.mask == MaskKind::none ? task : dealt(task, panels);
      T* work = workspace<T>(kDepth * kPanelColumns<T>, 2);
      run_panel<T>(p, tiles, 0, tiles.tiles, backwards ? panels - 1 - rank : rank, nullptr, work);
    });
    return;
  }
  const int64_t blocks =
      lesser(tiles.tiles, p.m > kRowsOfOneBlock ? up_div(p.m, kRowsOfManyBlocks) : kEnoughTasks);
  const int64_t groups =
      lesser(panels, up_div(panels * panel_elements * static_cast<int64_t>(sizeof(T)), kPanelGroupBytes));
  run_tasks(blocks * groups, serial, [&](int64_t task) {
    const int64_t block = task / groups;
    const int64_t group = task % groups;
    for (int64_t panel = group * panels / groups; panel < (group + 1) * panels / groups; ++panel) {
      run_panel<T>(p, tiles, block * tiles.tiles / blocks, (block + 1) * tiles.tiles / blocks, panel,
                   b_packed + panel * panel_elements, nullptr);
    }
  });
}

}  // namespace

template <class T>
void gemm(Trans ta, Trans tb, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb, T* c,
          int64_t ldc, const Epilogue<T>& epilogue) {
  run<T>({m, n, k, a, lda, ta == Trans::yes, {b, ldb, tb == Trans::yes, MaskKind::none, nullptr}, c, ldc, epilogue});
}

template <class T>
void masked_forward(int64_t rows, int64_t units, int64_t inputs, const T* x, int64_t x_ld, const T* w, int64_t w_ld,
                    const Staircase& mask, T* y, int64_t y_ld, const Epilogue<T>& epilogue) {
  run<T>({rows, units, inputs, x, x_ld, false, {w, w_ld, true, MaskKind::columns, mask.extent}, y, y_ld, epilogue});
}

template <class T>
void masked_grad_input(int64_t rows, int64_t units, int64_t inputs, const T* dL_dy, int64_t dy_ld, const T* w,
                       int64_t w_ld, const Staircase& mask, T* dL_dx, int64_t dx_ld, const Epilogue<T>& epilogue) {
  run<T>({rows, inputs, units, dL_dy, dy_ld, false, {w, w_ld, false, MaskKind::depth, mask.extent}, dL_dx, dx_ld,
          epilogue});
}

template <class T>
void masked_grad_weight(int64_t rows, int64_t units, int64_t inputs, const T* dL_dy, int64_t dy_ld, const T* x,
                        int64_t x_ld, const Staircase& mask, T* dL_dW, int64_t dw_ld, const Epilogue<T>& epilogue) {
  run<T>({units, inputs, rows, dL_dy, dy_ld, true, {x, x_ld, false, MaskKind::rows, mask.extent}, dL_dW, dw_ld,
          epilogue});
}

#define FLOW_INSTANTIATE(T)                                                                                          \
  template void gemm<T>(Trans, Trans, int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, T*, int64_t,  \
                        const Epilogue<T>&);                                                                         \
  template void masked_forward<T>(int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t, const Staircase&, \
                                  T*, int64_t, const Epilogue<T>&);                                                  \
  template void masked_grad_input<T>(int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t,                \
                                     const Staircase&, T*, int64_t, const Epilogue<T>&);                             \
  template void masked_grad_weight<T>(int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t,               \
                                      const Staircase&, T*, int64_t, const Epilogue<T>&);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
