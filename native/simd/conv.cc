// The convolution and its gradient by the input: both are a sum over taps of a product of moved pixels,
//
//   C[p] = Σ_t S[p + move t] · B_t        forward: S = x, B_t = W_tᵀ; gradient: S = dL_dy, B_t = W_t, moves reversed
//
// and run in one of two orders:
// - gather: the moved pixels are laid side by side, block of rows by block, and multiplied by all B_t at once;
// - scatter: Z = S · [B_0 | B_1 | …] is one product without moves, and the moved rows of Z are added up afterwards.
// Copying costs taps·channels(S) numbers a pixel in the first, taps·channels(C) in the second, so the narrow side is moved.
// The scatter also fills the registers where C has fewer channels than a register has lanes.
#include "conv.h"

#include "conv_gather.h"
#include "gemm_blocks.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kGatherBytes = 40 << 10;    // gathered columns of a block: the first-level cache holds most of them
constexpr int64_t kLeastBlock = 4 * kTileRows;
constexpr int64_t kMostBlock = 20 * kTileRows;
constexpr int64_t kScatterPixels = 256;       // a task of the scatter has at least so many, as far as there are
constexpr int64_t kScatterMost = 1024;        // and about so many at most
constexpr int64_t kSerialPack = 64 << 10;     // bytes of a weight below which one thread packs it

template <class T>
struct Convolution {
  Moves moves;
  int64_t images;
  int64_t channels, columns;  // of S and C
  const T* s;
  int64_t s_ld;
  T* c;
  int64_t ldc;
  Epilogue<T> epilogue;
  // B_t(k, n) = b[block t · step + k·ldb + n], or b[block t · step + n·ldb + k] if transposed.
  const T* b;
  int64_t ldb, step;
  bool transposed;

  int64_t pixels() const { return images * moves.height * moves.width; }
  PackSource<T> source(int64_t t) const {
    return {b + moves.taps[t].block * step, ldb, transposed, MaskKind::none, nullptr};
  }
};

template <class F>
void run_packing(int64_t panels, int64_t bytes, const F& body) {
  run_tasks(panels, bytes < kSerialPack, body);
}

template <class T>
Epilogue<T> epilogue_at(const Epilogue<T>& e, int64_t row) {
  Epilogue<T> moved = e;
  if (e.gate) moved.gate = e.gate + row * e.gate_ld;
  return moved;
}

template <class T>
void run_gather(const Convolution<T>& v) {
  const int64_t taps = v.moves.count, depth = taps * v.channels, pixels = v.pixels();
  const int64_t panels = panels_of<T>(v.columns);
  const int64_t panel_elements = depth * kPanelColumns<T>;
  T* packed = workspace<T>(panels * panel_elements, 0);
  run_packing(panels, panels * panel_elements * static_cast<int64_t>(sizeof(T)), [&](int64_t panel) {
    const int64_t n0 = panel * kPanelColumns<T>;
    const int columns = static_cast<int>(lesser(kPanelColumns<T>, v.columns - n0));
    const int64_t stride = panel_vectors<T>(columns) * Vec<T>::width;
    for (int64_t t = 0; t < taps; ++t)
      pack_panel(v.source(t), 0, v.channels, n0, columns, packed + panel * panel_elements + t * v.channels * stride);
  });

  const int64_t ld = gathered_ld<T>(taps, v.channels);
  const int64_t fitting = kGatherBytes / (ld * static_cast<int64_t>(sizeof(T))) / kTileRows * kTileRows;
  const int64_t block = clamp_to(fitting, kLeastBlock, kMostBlock);
  parallel(up_div(pixels, block), [&](int64_t task) {
    const int64_t p0 = task * block, p1 = lesser(p0 + block, pixels);
    T* columns = workspace<T>(block * ld, 2);
    gather(v.moves, 0, taps, v.channels, v.s, v.s_ld, p0, p1, columns, ld);
    Product<T> part = {p1 - p0, v.columns, depth, columns, ld, false, {}, v.c + p0 * v.ldc, v.ldc,
                       epilogue_at(v.epilogue, p0)};
    const RowTiles tiles(p1 - p0);
    for (int64_t panel = 0; panel < panels; ++panel)
      run_panel<T>(part, tiles, 0, tiles.tiles, panel, packed + panel * panel_elements, nullptr);
  });
}

/** Where the scatter's tasks are cut: several whole images, or a band of rows of one. */
struct Bands {
  int64_t images_of_task, rows_of_band, bands;

  Bands(int64_t height, int64_t width) {
    const int64_t pixels = height * width;
    images_of_task = up_div(kScatterPixels, pixels);
    bands = pixels > kScatterMost ? up_div(pixels, kScatterMost) : 1;
    rows_of_band = up_div(height, bands);
    bands = up_div(height, rows_of_band);
  }
};

template <class T>
void run_scatter(const Convolution<T>& v) {
  const Moves& m = v.moves;
  const int64_t taps = m.count, width = taps * v.columns, rows_of_image = m.height;
  const int64_t panels = panels_of<T>(width);
  const int64_t panel_elements = v.channels * kPanelColumns<T>;
  T* packed = workspace<T>(panels * panel_elements, 0);
  // [B_0 | B_1 | …] as one matrix, stored as the weight is: whole rows (transposed) or rows of the blocks side by side.
  const int64_t flat_ld = v.transposed ? v.channels : width;
  T* flat = workspace<T>(width * v.channels, 1);
  for (int64_t t = 0; t < taps; ++t) {
    const PackSource<T> from = v.source(t);
    const int64_t rows = v.transposed ? v.columns : v.channels;
    const int64_t length = v.transposed ? v.channels : v.columns;
    T* to = v.transposed ? flat + t * v.columns * v.channels : flat + t * v.columns;
    for (int64_t r = 0; r < rows; ++r)
      __builtin_memcpy(to + r * flat_ld, from.b + r * from.ldb, static_cast<size_t>(length) * sizeof(T));
  }
  const PackSource<T> source = {flat, flat_ld, v.transposed, MaskKind::none, nullptr};
  run_packing(panels, panels * panel_elements * static_cast<int64_t>(sizeof(T)), [&](int64_t panel) {
    const int64_t n0 = panel * kPanelColumns<T>;
    pack_panel(source, 0, v.channels, n0, static_cast<int>(lesser(kPanelColumns<T>, width - n0)),
               packed + panel * panel_elements);
  });

  int64_t above = 0, below = 0;  // rows that the taps reach beyond a band
  for (int64_t t = 0; t < taps; ++t) {
    if (-m.dy(t) > above) above = -m.dy(t);
    if (m.dy(t) > below) below = m.dy(t);
  }
  const Bands cut(m.height, m.width);
  const int64_t ld = up_div(width, Vec<T>::width) * Vec<T>::width;
  const bool finishes = v.epilogue.act != Activation::none || v.epilogue.gate || (v.epilogue.bias && v.epilogue.accumulate);
  const int64_t groups = up_div(v.images, cut.images_of_task);
  parallel(groups * cut.bands, [&](int64_t task) {
    const int64_t image0 = task / cut.bands * cut.images_of_task;
    const int64_t images = lesser(cut.images_of_task, v.images - image0);
    const int64_t h0 = task % cut.bands * cut.rows_of_band;
    const int64_t h1 = lesser(h0 + cut.rows_of_band, rows_of_image);
    const int64_t z0 = h0 - above > 0 ? h0 - above : 0;
    const int64_t z1 = h1 + below < rows_of_image ? h1 + below : rows_of_image;
    // With several images the band is all of them: their rows lie one after the other.
    const int64_t rows = ((images - 1) * rows_of_image + z1 - z0) * m.width;
    T* z = workspace<T>(rows * ld, 2);
    Product<T> part = {rows, width, v.channels, v.s + (image0 * rows_of_image + z0) * m.width * v.s_ld, v.s_ld, false,
                       {},   z,     ld,         {}};
    const RowTiles tiles(rows);
    for (int64_t panel = 0; panel < panels; ++panel)
      run_panel<T>(part, tiles, 0, tiles.tiles, panel, packed + panel * panel_elements, nullptr);
    for (int64_t image = 0; image < images; ++image) {
      const int64_t p0 = ((image0 + image) * rows_of_image + h0) * m.width;
      T* c = v.c + p0 * v.ldc;
      sum_moved(m, h0, h1, z + image * rows_of_image * m.width * ld, ld, z0, v.columns, v.epilogue.bias,
                v.epilogue.accumulate, c, v.ldc);
      if (finishes) finish(v.epilogue, p0, (h1 - h0) * m.width, 0, v.columns, c, v.ldc);
    }
  });
}

/** Whether the rows that bands of the scatter compute twice are few. */
bool bands_are_cheap(const Moves& m) {
  const Bands cut(m.height, m.width);
  if (cut.bands == 1) return true;
  int64_t reach = 0;
  for (int64_t t = 0; t < m.count; ++t) {
    const int64_t dy = m.dy(t) < 0 ? -m.dy(t) : m.dy(t);
    if (dy > reach) reach = dy;
  }
  return cut.rows_of_band >= 4 * reach && cut.rows_of_band * m.width <= 4 * kScatterMost;
}

template <class T>
void run(const Convolution<T>& v) {
  if (v.pixels() <= 0 || v.columns <= 0) return;
  const bool narrow = 2 * v.columns <= v.channels;
  if (narrow && v.moves.count > 1 && bands_are_cheap(v.moves)) return run_scatter(v);
  run_gather(v);
}

/** One tap that moves nothing: a plain product. */
bool is_plain(const ConvShape& shape) { return shape.live == 1 && shape.taps[0].dy == 0 && shape.taps[0].dx == 0; }

}  // namespace

template <class T>
void conv_forward(const ConvShape& g, const T* x, int64_t x_ld, const T* w, int64_t w_ld, T* y, int64_t y_ld,
                  const Epilogue<T>& epilogue) {
  if (is_plain(g)) {
    gemm<T>(Trans::no, Trans::yes, g.pixels(), g.outputs, g.inputs, x, x_ld, w + g.taps[0].block * g.inputs, w_ld, y,
            y_ld, epilogue);
    return;
  }
  run<T>({{g.height, g.width, g.taps, g.live, 1}, g.images, g.inputs, g.outputs, x, x_ld, y, y_ld, epilogue, w, w_ld,
          g.inputs, true});
}

template <class T>
void conv_grad_input(const ConvShape& g, const T* dL_dy, int64_t dy_ld, const T* w, int64_t w_ld, T* dL_dx, int64_t dx_ld,
                     const Epilogue<T>& epilogue) {
  if (is_plain(g)) {
    gemm<T>(Trans::no, Trans::no, g.pixels(), g.inputs, g.outputs, dL_dy, dy_ld, w + g.taps[0].block * g.inputs, w_ld,
            dL_dx, dx_ld, epilogue);
    return;
  }
  run<T>({{g.height, g.width, g.taps, g.live, -1}, g.images, g.outputs, g.inputs, dL_dy, dy_ld, dL_dx, dx_ld, epilogue, w,
          w_ld, g.inputs, false});
}

#define FLOW_INSTANTIATE(T)                                                                                           \
  template void conv_forward<T>(const ConvShape&, const T*, int64_t, const T*, int64_t, T*, int64_t, const Epilogue<T>&); \
  template void conv_grad_input<T>(const ConvShape&, const T*, int64_t, const T*, int64_t, T*, int64_t,                 \
                                   const Epilogue<T>&);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
