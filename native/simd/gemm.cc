// The products: how the work is cut, packed and handed to the micro-kernel.
//
// C is cut into tiles of at most kTileRows rows and panels of kPanelColumns columns. A panel of B is packed
// once; the tiles of a block of rows run over it while it is in the first- or second-level cache, K in
// blocks of kDepth. Four cuts into tasks, chosen by the sizes:
// - few rows: a task is a panel with all rows, and packs its panel itself, block by block of K;
// - many rows: a task is some blocks of rows, which are those that its core has written, with a group of panels, which it packs for
//   itself too: fetched from the core that packed them for all, they cost more (256×256×256 on two threads 104 → 74 µs);
// - a transposed A (weight gradients): a task is a block of rows of C, which packs its columns of A for itself, for the same reason
//   (512×512 over 1024 rows on two threads 1.2 × faster than with an A that is packed by both for both);
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
constexpr int64_t kSerialWork = 1 << 20;             // multiply-adds below which one task does it all: 8 µs, of which a second core saves nothing
constexpr int64_t kTasksOfThread = 4;                // so many keep the threads busy
constexpr int64_t kLittlePacking = 64 << 10;         // elements of B below which packing them anew costs less than longer tasks
constexpr int64_t kTilesOfTransposed = 8;            // at most, in a block of rows of C whose A is packed by its task
constexpr int64_t kDepthOfTransposed = 256;          // of A packed at a time: the second-level cache holds it and the rows of B under it

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

/** Blocks of rows of C for a transposed A: a multiple of four, which two threads share fairly where a staircase makes them unequal. */
int64_t blocks_of_transposed(int64_t m) {
  const int64_t tiles = RowTiles(m).tiles;
  return lesser(tiles, 4 * up_div(tiles, 4 * kTilesOfTransposed));
}

/** The rows of C of one of `blocks` blocks of whole tiles. */
template <class T>
Product<T> rows_of(Product<T> p, int64_t block, int64_t blocks) {
  const RowTiles tiles(p.m);
  const int64_t m0 = tiles.start(block * tiles.tiles / blocks);
  p.m = tiles.start((block + 1) * tiles.tiles / blocks) - m0;
  p.a += p.a_transposed ? m0 : m0 * p.lda;
  p.c += m0 * p.ldc;
  if (p.epilogue.gate) p.epilogue.gate += m0 * p.epilogue.gate_ld;
  if (p.b.mask == MaskKind::rows) p.b.extent += m0;
  return p;
}

/** The terms k0 … k1 of each sum: the first ones start C, the last ones finish it. */
template <class T>
Product<T> depth_of(Product<T> p, int64_t k0, int64_t k1) {
  const bool first = k0 == 0, last = k1 == p.k;
  p.k = k1 - k0;
  p.a += p.a_transposed ? k0 * p.lda : k0;
  p.b.b += p.b.transposed ? k0 : k0 * p.b.ldb;
  const bool accumulate = !first || p.epilogue.accumulate;
  if (!last) p.epilogue = {};
  p.epilogue.accumulate = accumulate;
  return p;
}

/** The panels panel0 … panel1 of a C of few rows; a transposed A is packed first, unless these are `few` at most. */
template <class T>
void run_block(Product<T> p, int64_t panel0, int64_t panel1, int64_t few) {
  const RowTiles tiles(p.m);
  T* work = workspace<T>(kDepth * kPanelColumns<T>, 3);
  if (p.a_transposed && panel1 - panel0 > few) {
    T* packed = workspace<T>(p.m * p.k, 2);
    pack_a(p, tiles, 0, tiles.tiles, 0, p.k, packed);
    p.a_packed = packed;
  }
  for (int64_t panel = panel0; panel < panel1; ++panel) run_panel<T>(p, tiles, 0, tiles.tiles, panel, nullptr, work);
}

// A long K: pieces of K make partial products, added in the order of the pieces.
template <class T>
void run_split(const Product<T>& p) {
  const int64_t chunk = split_depth(p.m, p.n, p.k);
  const int64_t pieces = up_div(p.k, chunk);
  const int64_t size = p.m * p.n;
  T* partial = workspace<T>(pieces * size, 0);
  parallel(pieces, [&](int64_t piece) {
    Product<T> part = p;
    part.epilogue = {};
    part.c = partial + piece * size;
    part.ldc = p.n;
    const int64_t k0 = piece * chunk;
    part = depth_of(part, k0, lesser(p.k, k0 + chunk));
    part.epilogue.accumulate = false;
    const int64_t panels = panels_of<T>(p.n);
    const bool packs = p.a_transposed && panels > kFewPanelsOfPiece;
    const int64_t depths = up_div(part.k, packs ? kDepthOfTransposed : kDepth);
    const int64_t blocks = packs ? blocks_of_transposed(p.m) : 1;
    for (int64_t d = 0; d < depths; ++d) {
      const Product<T> deep = depth_of(part, d * part.k / depths, (d + 1) * part.k / depths);
      for (int64_t block = 0; block < blocks; ++block)
        run_block(rows_of(deep, block, blocks), 0, panels, kFewPanelsOfPiece);
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
    zero_outside(p, m0, m1, 0, p.n);
  });
}

// A transposed A (weight gradients): a task is a block of rows of C, which packs its columns of A for itself.
template <class T>
void run_transposed(const Product<T>& p, bool serial) {
  const int64_t panels = panels_of<T>(p.n);
  const int64_t blocks = blocks_of_transposed(p.m);
  const int64_t depths = greater(1, up_div(p.k, kDepthOfTransposed));
  const int64_t group_bytes = up_div(p.k, depths) * kPanelColumns<T> * static_cast<int64_t>(sizeof(T));
  const int64_t groups = clamp_to(up_div(panels * group_bytes, kPanelGroupBytes), 1, panels);
  const int64_t threads = thread_count();
  run_tasks(blocks * groups, serial, [&](int64_t task) {
    const int64_t rank = p.b.mask == MaskKind::none ? task : dealt(task, blocks * groups, threads);
    const int64_t block = blocks - 1 - rank / groups, group = rank % groups;
    const int64_t panel0 = group * panels / groups, panel1 = (group + 1) * panels / groups;
    const Product<T> rows = rows_of(p, block, blocks);
    zero_outside(rows, 0, rows.m, panel0 * kPanelColumns<T>, panel1 * kPanelColumns<T>);
    const int64_t seen = p.b.mask == MaskKind::none ? panels : panels_of<T>(extents_of(rows.b.extent, static_cast<int>(rows.m)).end);
    for (int64_t d = 0; d < depths; ++d)
      run_block(depth_of(rows, d * p.k / depths, (d + 1) * p.k / depths), panel0, lesser(panel1, seen), kFewPanels);
  });
}

/** Packs a panel of B over all k for which it holds anything, as run_panel reads it. */
template <class T>
void pack_whole(const Product<T>& p, int64_t panel, T* packed) {
  const int64_t n0 = panel * kPanelColumns<T>;
  const int columns = static_cast<int>(lesser(kPanelColumns<T>, p.n - n0));
  const Range range = depth_range(p.b, p.k, n0, columns);
  pack_panel(p.b, range.begin, range.end, n0, columns, packed);
}

template <class T>
void run(const Product<T>& p) {
  if (p.m <= 0 || p.n <= 0) return;
  if (is_split(p)) return run_split(p);
  const bool serial = p.m * p.n * p.k < kSerialWork;
  if (p.a_transposed) return run_transposed(p, serial);

  const RowTiles tiles(p.m);
  const int64_t panels = panels_of<T>(p.n);
  if (p.m <= kRowsOfOneBlock && (serial || tiles.tiles <= kFewTiles)) {
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
  // An even number of blocks, so that two threads share them; groups for more threads, and for the second-level cache. A task
  // takes several blocks one after the other, as far as all threads get enough tasks: what it packs for the first serves the others.
  const int64_t wanted = kTasksOfThread * thread_count();
  const bool little = p.n * p.k < kLittlePacking;
  const int64_t rows = little && !p.b.transposed ? kFewTiles * kTileRows : kRowsOfBlock;  // so few that B is not packed at all
  const int64_t blocks = lesser(tiles.tiles, 2 * up_div(p.m, 2 * rows));
  const int64_t group_elements = p.k * kPanelColumns<T>;
  const int64_t group_bytes = group_elements * static_cast<int64_t>(sizeof(T));
  const int64_t groups = lesser(panels, greater(up_div(panels * group_bytes, kPanelGroupBytes), up_div(wanted, blocks)));
  const int64_t chunks = little ? blocks : lesser(blocks, up_div(wanted, groups));
  run_tasks(chunks * groups, serial, [&](int64_t task) {
    // Chunks begin with different groups: two threads then do not wait for the same lines of B at the same time.
    const int64_t chunk = task / groups, group = (task + chunk * groups / chunks) % groups;
    const int64_t block0 = chunk * blocks / chunks, block1 = (chunk + 1) * blocks / chunks;
    const int64_t panel0 = group * panels / groups, panel1 = (group + 1) * panels / groups;
    const bool keep = block1 - block0 > 1;
    T* packed = workspace<T>((keep ? panel1 - panel0 : 1) * group_elements, 2);
    for (int64_t block = block0; block < block1; ++block) {
      const int64_t tile0 = block * tiles.tiles / blocks, tile1 = (block + 1) * tiles.tiles / blocks;
      for (int64_t panel = panel0; panel < panel1; ++panel) {
        T* own = keep ? packed + (panel - panel0) * group_elements : packed;
        if (keep && block == block0) pack_whole(p, panel, own);
        run_panel<T>(p, tiles, tile0, tile1, panel, keep ? own : nullptr, own);
      }
    }
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
  pack_whole(p, panel, packed + panel * k * kPanelColumns<T>);
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
  zero_outside(p, tiles.start(tile0), tiles.start(tile1), 0, n);
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
  zero_outside(p, 0, m, 0, n);
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
