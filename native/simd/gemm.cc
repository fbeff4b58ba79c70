// The products: how the work is cut, packed and handed to the micro-kernel.
//
// C is cut into tiles of at most kTileRows rows and panels of kPanelColumns columns. A panel of B is packed
// once; the tiles of a block of rows run over it while it is in the first- or second-level cache, K in
// blocks of kDepth. Three cuts into tasks, chosen by the sizes:
// - few rows, or a weight gradient with many panels: a task is a panel with all rows, and packs its panel itself, block by block of K;
// - else a task is a block of rows, which are those that its core has written, with a group of panels, which it packs for itself
//   too: fetched from the core that packed them for all, they cost more (256×256×256 on two threads 104 → 74 µs);
// - a C that is small for its long K (weight gradients): a task is a piece of K, the partial products are added in
//   order afterwards (see is_split).
#include "gemm.h"

#include "gemm_blocks.h"
#include "gemm_packed.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kRowsOfOneBlock = 768;  // up to so many rows there is one block of rows
constexpr int64_t kRowsOfBlock = 240;     // of several blocks: enough that packing B anew for each costs little
constexpr int64_t kSplitElements = 512 << 10;        // a C this small may be split along K
constexpr int64_t kSplitDepth = 128;                 // a piece of K, at least
constexpr int64_t kSplitElementsOfRow = 256;         // of C, for each row that a piece has at least
constexpr int64_t kSplitPieces = 32;                 // at most
constexpr int64_t kSplitBlockElements = 128 << 10;   // of A, packed at once
constexpr int64_t kSerialWork = 512 << 10;  // multiply-adds below which one task does it all: 4 µs, what a second core costs
constexpr int64_t kSerialBytes = 64 << 10;  // operands below which packing is not worth a second thread
constexpr int64_t kEnoughTasks = 16;        // so many keep the threads busy
constexpr int64_t kTilesOfStrip = 4;        // packed together, since neighbours share cache lines

/**
 * The tasks of a staircase by length, dealt to `threads` to and fro like cards: position `task` of the pool's ranges → its
 * rank, 0 for the longest. Each range then holds as much work as the others. One number of threads for all tasks of a product:
 * it may be set by another thread meanwhile, and two deals would leave panels out.
 */
int64_t dealt(int64_t task, int64_t tasks, int64_t threads) {
  const int64_t rounds = tasks / threads;
  const int64_t thread = ((task + 1) * threads - 1) / tasks;
  const int64_t first = tasks * thread / threads;
  const int64_t round = task - first;
  if (round == rounds) return rounds * threads + first - thread * rounds;  // what does not go round: the shortest
  return round * threads + (round % 2 == 0 ? thread : threads - 1 - thread);
}

/** Rows of a piece of K, at least: few enough for two pieces, and enough that the partial results cost little. */
int64_t least_split_depth(int64_t m, int64_t n) { return greater(kSplitDepth, m * n / kSplitElementsOfRow); }

/** Rows of a piece of K. */
int64_t split_depth(int64_t m, int64_t n, int64_t k) {
  const int64_t wanted = k >= 4 * kDepth ? kDepth : up_div(k, 4);
  return greater(greater(wanted, up_div(k, kSplitPieces)), least_split_depth(m, n));
}

/**
 * Whether pieces of K are better than parts of C. The rows of A and B were written by the core that works on them now (rows go to
 * the same thread in one op after the other), and a line from the other core costs as much as hundreds of multiply-adds: parts of
 * C would fetch half of A and B from there, pieces of K half of the partial results.
 */
template <class T>
bool is_split(const Product<T>& p) {
  const bool no_k_mask = p.b.mask == MaskKind::none || p.b.mask == MaskKind::rows;
  if (!no_k_mask || p.m * p.n > kSplitElements || p.k < 2 * least_split_depth(p.m, p.n)) return false;
  return p.k >= 4 * kDepth || (p.a_transposed && p.k * (p.m + p.n) >= 2 * p.m * p.n);
}

// A long K: pieces of K make partial products, added in the order of the pieces.
template <class T>
void run_split(const Product<T>& p) {
  const int64_t chunk = split_depth(p.m, p.n, p.k);
  const int64_t pieces = up_div(p.k, chunk);
  const int64_t size = p.m * p.n;
  T* partial = workspace<T>(pieces * size, 0);
  const RowTiles tiles(p.m);
  const bool pack = p.a_transposed && panels_of<T>(p.n) > kFewPanelsOfPiece;
  parallel(pieces, [&](int64_t piece) {
    const int64_t k0 = piece * chunk;
    const int64_t depth = lesser(p.k, k0 + chunk) - k0;
    // Block by block, so that the packed A stays in the second-level cache for all panels.
    const int64_t blocks = pack ? up_div(depth, greater(kSplitBlockElements / p.m, kSplitDepth)) : 1;
    Product<T> part = p;
    part.epilogue = {};
    part.c = partial + piece * size;
    part.ldc = p.n;
    T* packed = pack ? workspace<T>(p.m * up_div(depth, blocks), 2) : nullptr;
    T* work = workspace<T>(kDepth * kPanelColumns<T>, 3);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t b0 = k0 + block * depth / blocks, b1 = k0 + (block + 1) * depth / blocks;
      part.k = b1 - b0;
      part.b.b = p.b.b + (p.b.transposed ? b0 : b0 * p.b.ldb);
      part.epilogue.accumulate = block > 0;
      if (pack) {
        pack_a(p, tiles, 0, tiles.tiles, b0, b1, packed);
        part.a_packed = packed;
      } else {
        part.a = p.a + (p.a_transposed ? b0 * p.lda : b0);
      }
      for (int64_t panel = 0; panel < panels_of<T>(p.n); ++panel)
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
  if (is_split(p)) return run_split(p);

  const bool serial = p.m * p.n * p.k < kSerialWork;
  const RowTiles tiles(p.m);
  const int64_t panels = panels_of<T>(p.n);
  const bool pack = p.a_transposed && panels > kFewPanels;
  const bool by_panels = p.m <= kRowsOfOneBlock &&
                         (serial || (p.a_transposed && panels >= kEnoughTasks) || tiles.tiles <= kFewTiles);

  // First what all tasks read: the tiles of a transposed A.
  const int64_t strips = pack || p.b.mask == MaskKind::rows ? up_div(tiles.tiles, kTilesOfStrip) : 0;
  T* a_packed = pack ? workspace<T>(p.m * p.k, 0) : nullptr;
  const bool little = serial || (p.m * p.k + p.n * p.k) * static_cast<int64_t>(sizeof(T)) < kSerialBytes;
  run_tasks(strips, little, [&](int64_t strip) {
    const int64_t tile0 = strip * kTilesOfStrip;
    const int64_t tile1 = lesser(tile0 + kTilesOfStrip, tiles.tiles);
    if (pack) pack_a(p, tiles, tile0, tile1, 0, p.k, a_packed);
    zero_outside(p, tiles.start(tile0), tiles.start(tile1));
  });
  p.a_packed = a_packed;

  if (by_panels) {
    // The longest panels of a forward staircase stand last, those of a gradient first.
    const bool backwards = p.b.mask == MaskKind::columns;
    const int64_t threads = thread_count();
    run_tasks(panels, serial, [&](int64_t task) {
      const int64_t rank = p.b.mask == MaskKind::none ? task : dealt(task, panels, threads);
      T* work = workspace<T>(kDepth * kPanelColumns<T>, 2);
      run_panel<T>(p, tiles, 0, tiles.tiles, backwards ? panels - 1 - rank : rank, nullptr, work);
    });
    return;
  }
  // An even number of blocks, so that two threads share them; groups for more threads, and for the second-level cache.
  const int64_t blocks = lesser(tiles.tiles, 2 * up_div(p.m, 2 * kRowsOfBlock));
  const int64_t group_bytes = p.k * kPanelColumns<T> * static_cast<int64_t>(sizeof(T));
  const int64_t groups =
      lesser(panels, greater(up_div(panels * group_bytes, kPanelGroupBytes), up_div(kEnoughTasks, blocks)));
  run_tasks(blocks * groups, serial, [&](int64_t task) {
    const int64_t block = task / groups;
    const int64_t group = task % groups;
    T* work = workspace<T>(kDepth * kPanelColumns<T>, 2);
    for (int64_t panel = group * panels / groups; panel < (group + 1) * panels / groups; ++panel)
      run_panel<T>(p, tiles, block * tiles.tiles / blocks, (block + 1) * tiles.tiles / blocks, panel, nullptr, work);
  });
}

}  // namespace

int64_t tiles_of(int64_t m) { return RowTiles(m).tiles; }
int64_t tile_start(int64_t m, int64_t t) { return m > 0 ? RowTiles(m).start(t) : 0; }

template <class T>
int64_t packed_panels(int64_t n) {
  return panels_of<T>(n);
}

template <class T>
int64_t packed_b_elements(int64_t n, int64_t k) {
  return panels_of<T>(n) * k * kPanelColumns<T> + Vec<T>::width;
}

template <class T>
void pack_b_panel(const PackSource<T>& source, int64_t n, int64_t k, int64_t panel, T* packed) {
  Product<T> p{};
  p.n = n, p.k = k, p.b = source;
  const int64_t n0 = panel * kPanelColumns<T>;
  const int columns = static_cast<int>(lesser(kPanelColumns<T>, n - n0));
  const Range range = depth_range(p, n0, columns);
  pack_panel(source, range.begin, range.end, n0, columns, packed + panel * k * kPanelColumns<T>);
}

template <class T>
void pack_b_depth(const T* source, int64_t ld, int64_t n, int64_t k, int64_t k0, int64_t k1, T* packed) {
  const PackSource<T> rows{source, ld, false, MaskKind::none, nullptr};
  for (int64_t panel = 0; panel < panels_of<T>(n); ++panel) {
    const int64_t n0 = panel * kPanelColumns<T>;
    const int columns = static_cast<int>(lesser(kPanelColumns<T>, n - n0));
    const int64_t stride = panel_vectors<T>(columns) * Vec<T>::width;
    pack_panel(rows, 0, k1 - k0, n0, columns, packed + panel * k * kPanelColumns<T> + k0 * stride);
  }
}

template <class T>
void pack_a_depth(const T* source, int64_t ld, int64_t m, int64_t k, int64_t k0, int64_t k1, T* packed) {
  const RowTiles tiles(m);
  constexpr int64_t step = 8;  // as pack_a
  for (int64_t d = k0; d < k1; d += step) {
    const int64_t depth = lesser(step, k1 - d);
    for (int64_t tile = 0; tile < tiles.tiles; ++tile) {
      const int64_t m0 = tiles.start(tile);
      const int rows = static_cast<int>(tiles.start(tile + 1) - m0);
      pack_tile(source + (d - k0) * ld + m0, ld, rows, depth, packed + m0 * k + d * rows);
    }
  }
}

template <class T>
void run_packed(const PackedProduct<T>& product, int64_t tile0, int64_t tile1) {
  const auto& [m, n, k, a, lda, a_packed, b_packed, mask, extent, c, ldc, epilogue] = product;
  if (m <= 0 || n <= 0) return;
  const Product<T> p{m, n, k, a, lda, false, {nullptr, 0, false, mask, extent}, c, ldc, epilogue, a_packed};
  const RowTiles tiles(m);
  zero_outside(p, tiles.start(tile0), tiles.start(tile1));
  for (int64_t panel = 0; panel < panels_of<T>(n); ++panel)
    run_panel<T>(p, tiles, tile0, tile1, panel, b_packed + panel * k * kPanelColumns<T>, nullptr);
}

template <class T>
void outer_product(int64_t m, int64_t n, int64_t k, const T* d, int64_t d_ld, const T* x, int64_t x_ld, const int32_t* extent,
                   T* c, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  const MaskKind mask = extent ? MaskKind::rows : MaskKind::none;
  const Product<T> p{m, n, k, d, d_ld, true, {x, x_ld, false, mask, extent}, c, ldc, {}};
  const RowTiles tiles(m);
  zero_outside(p, 0, m);
  T* panel_memory = workspace<T>(lesser(k, kDepth) * kPanelColumns<T>, 0);
  for (int64_t panel = 0; panel < panels_of<T>(n); ++panel)
    run_panel<T>(p, tiles, 0, tiles.tiles, panel, nullptr, panel_memory);
}

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

#define FLOW_PACKED(T)                                                                                   \
  template int64_t packed_panels<T>(int64_t);                                                           \
  template int64_t packed_b_elements<T>(int64_t, int64_t);                                              \
  template void pack_b_panel<T>(const PackSource<T>&, int64_t, int64_t, int64_t, T*);                   \
  template void pack_b_depth<T>(const T*, int64_t, int64_t, int64_t, int64_t, int64_t, T*);             \
  template void pack_a_depth<T>(const T*, int64_t, int64_t, int64_t, int64_t, int64_t, T*);             \
  template void run_packed<T>(const PackedProduct<T>&, int64_t, int64_t);                               \
  template void outer_product<T>(int64_t, int64_t, int64_t, const T*, int64_t, const T*, int64_t,       \
                                 const int32_t*, T*, int64_t);
FLOW_PACKED(float)
FLOW_PACKED(double)
#undef FLOW_PACKED

}  // namespace flow::FLOW_ISA
