// A convolution, or its gradient by the input, cut into tasks. Both are a sum over taps of products of moved pixels,
//
//   C[p] = Σ_t S[p + move t] · B_t        forward: S = x, B_t = W_tᵀ; gradient: S = dL_dy, B_t = W_t, moves reversed
//
// and run in one of two orders:
// - gather: the moved pixels are laid side by side, block of rows by block, and multiplied by all B_t at once;
// - scatter: Z = S · [B_0 | B_1 | …] is one product without moves, and the moved rows of Z are added up afterwards.
// Copying costs taps·channels(S) numbers a pixel in the first, taps·channels(C) in the second, so the narrow side is moved.
// The scatter also fills the registers where C has fewer channels than a register has lanes. One tap that moves nothing
// is a product as it is.
//
// Scratch: slot 1 while packing, slot 2 in a task.
#pragma once

#include "conv.h"
#include "conv_gather.h"
#include "gemm_blocks.h"

namespace flow::FLOW_ISA {

inline constexpr int64_t kGatherBytes = 40 << 10;  // gathered columns of a block: the first-level cache holds most of them
inline constexpr int64_t kLeastBlock = 4 * kTileRows;
inline constexpr int64_t kMostBlock = 20 * kTileRows;
inline constexpr int64_t kScatterPixels = 256;  // a task of the scatter has at least so many, as far as there are
inline constexpr int64_t kScatterMost = 1024;   // and about so many at most
inline constexpr int64_t kSerialPack = 64 << 10;  // bytes of a weight below which one thread packs it

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

/** y = Σ_t x[pixel + tap t] · W_tᵀ. */
template <class T>
FLOW_INLINE Convolution<T> forward_of(const ConvShape& g, const T* x, int64_t x_ld, const T* w, int64_t w_ld, T* y,
                                      int64_t y_ld, const Epilogue<T>& epilogue) {
  return {{g.height, g.width, g.taps, g.live, 1}, g.images, g.inputs, g.outputs, x, x_ld, y, y_ld, epilogue, w, w_ld,
          g.inputs, true};
}

/** dL_dx = Σ_t dL_dy[pixel − tap t] · W_t. */
template <class T>
FLOW_INLINE Convolution<T> backward_of(const ConvShape& g, const T* dL_dy, int64_t dy_ld, const T* w, int64_t w_ld,
                                       T* dL_dx, int64_t dx_ld, const Epilogue<T>& epilogue) {
  return {{g.height, g.width, g.taps, g.live, -1}, g.images, g.outputs, g.inputs, dL_dy, dy_ld, dL_dx, dx_ld, epilogue,
          w, w_ld, g.inputs, false};
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

enum class ConvOrder : int32_t { plain, gather, scatter };

/** The order, by the sizes alone. */
FLOW_INLINE ConvOrder order_of(const Moves& m, int64_t channels, int64_t columns) {
  if (m.count == 1 && m.dy(0) == 0 && m.dx(0) == 0) return ConvOrder::plain;
  if (2 * columns > channels || m.count < 2) return ConvOrder::gather;
  const Bands cut(m.height, m.width);
  if (cut.bands == 1) return ConvOrder::scatter;
  // The rows that two bands compute must be few, and a band must not be much more than it was meant to be.
  int64_t reach = 0;
  for (int64_t t = 0; t < m.count; ++t) {
    const int64_t dy = m.dy(t) < 0 ? -m.dy(t) : m.dy(t);
    if (dy > reach) reach = dy;
  }
  const bool cheap = cut.rows_of_band >= 4 * reach && cut.rows_of_band * m.width <= 4 * kScatterMost;
  return cheap ? ConvOrder::scatter : ConvOrder::gather;
}

/** How the panels of a packed weight lie. */
struct PanelSizes {
  int64_t depth, width, panels, panel_elements;

  int64_t elements() const { return panels * panel_elements; }
};

template <class T>
FLOW_INLINE PanelSizes panel_sizes(const Convolution<T>& v, ConvOrder order) {
  const bool scatter = order == ConvOrder::scatter;
  const int64_t depth = scatter ? v.channels : v.moves.count * v.channels;
  const int64_t width = scatter ? v.moves.count * v.columns : v.columns;
  const int64_t panels = panels_of<T>(width);
  return {depth, width, panels, depth * kPanelColumns<T>};
}

/** Packs all B_t into panels, in parallel; slot 1 is used. */
template <class T>
void pack_weight(const Convolution<T>& v, ConvOrder order, T* packed) {
  const PanelSizes sizes = panel_sizes(v, order);
  const int64_t taps = v.moves.count;
  const bool little = sizes.elements() * static_cast<int64_t>(sizeof(T)) < kSerialPack;
  const auto columns_of = [&](int64_t panel) {
    return static_cast<int>(lesser(kPanelColumns<T>, sizes.width - panel * kPanelColumns<T>));
  };
  if (order != ConvOrder::scatter) {
    run_tasks(sizes.panels, little, [&](int64_t panel) {
      const int columns = columns_of(panel);
      const int64_t stride = panel_vectors<T>(columns) * Vec<T>::width;
      T* out = packed + panel * sizes.panel_elements;
      for (int64_t t = 0; t < taps; ++t)
        pack_panel(v.source(t), 0, v.channels, panel * kPanelColumns<T>, columns, out + t * v.channels * stride);
    });
    return;
  }
  // [B_0 | B_1 | …] as one matrix, stored as the weight is: whole rows (transposed) or rows of the blocks side by side.
  const int64_t flat_ld = v.transposed ? v.channels : sizes.width;
  T* flat = workspace<T>(sizes.width * v.channels, 1);
  for (int64_t t = 0; t < taps; ++t) {
    const PackSource<T> from = v.source(t);
    const int64_t rows = v.transposed ? v.columns : v.channels;
    const int64_t length = v.transposed ? v.channels : v.columns;
    T* to = v.transposed ? flat + t * v.columns * v.channels : flat + t * v.columns;
    for (int64_t r = 0; r < rows; ++r)
      __builtin_memcpy(to + r * flat_ld, from.b + r * from.ldb, static_cast<size_t>(length) * sizeof(T));
  }
  const PackSource<T> source = {flat, flat_ld, v.transposed, MaskKind::none, nullptr};
  run_tasks(sizes.panels, little, [&](int64_t panel) {
    pack_panel(source, 0, v.channels, panel * kPanelColumns<T>, columns_of(panel),
               packed + panel * sizes.panel_elements);
  });
}

/** A convolution with its packed weight, as tasks that may run in any order. */
template <class T>
class ConvTasks {
 public:
  ConvTasks(const Convolution<T>& convolution, ConvOrder how, const T* panels)
      : v(convolution), order(how), sizes(panel_sizes(convolution, how)), packed(panels),
        cut(convolution.moves.height, convolution.moves.width) {
    if (order == ConvOrder::scatter) {
      count = up_div(v.images, cut.images_of_task) * cut.bands;
      return;
    }
    ld = order == ConvOrder::plain ? v.s_ld : gathered_ld<T>(v.moves.count, v.channels);
    const int64_t fitting = kGatherBytes / (ld * static_cast<int64_t>(sizeof(T))) / kTileRows * kTileRows;
    block = clamp_to(fitting, kLeastBlock, kMostBlock);
    count = up_div(v.pixels(), block);
  }

  void run(int64_t task) const {
    if (order == ConvOrder::scatter)
      scatter(task);
    else
      gather_rows(task);
  }

  int64_t count = 0;

 private:
  Convolution<T> v;
  ConvOrder order;
  PanelSizes sizes;
  const T* packed;
  Bands cut;
  int64_t ld = 0, block = 0;

  void multiply(const Product<T>& part) const {
    const RowTiles tiles(part.m);
    for (int64_t panel = 0; panel < sizes.panels; ++panel)
      run_panel<T>(part, tiles, 0, tiles.tiles, panel, packed + panel * sizes.panel_elements, nullptr);
  }

  void gather_rows(int64_t task) const {
    const int64_t p0 = task * block, p1 = lesser(p0 + block, v.pixels());
    const T* a = v.s + p0 * v.s_ld;
    if (order == ConvOrder::gather) {
      T* columns = workspace<T>(block * ld, 2);
      gather(v.moves, 0, v.moves.count, v.channels, v.s, v.s_ld, p0, p1, columns, ld);
      a = columns;
    }
    Epilogue<T> epilogue = v.epilogue;
    if (epilogue.gate) epilogue.gate += p0 * epilogue.gate_ld;
    multiply({p1 - p0, v.columns, sizes.depth, a, ld, false, {}, v.c + p0 * v.ldc, v.ldc, epilogue});
  }

  void scatter(int64_t task) const {
    const Moves& m = v.moves;
    int64_t above = 0, below = 0;  // rows that the taps reach beyond a band
    for (int64_t t = 0; t < m.count; ++t) {
      if (-m.dy(t) > above) above = -m.dy(t);
      if (m.dy(t) > below) below = m.dy(t);
    }
    const int64_t image0 = task / cut.bands * cut.images_of_task;
    const int64_t images = lesser(cut.images_of_task, v.images - image0);
    const int64_t h0 = task % cut.bands * cut.rows_of_band;
    const int64_t h1 = lesser(h0 + cut.rows_of_band, m.height);
    const int64_t z0 = h0 - above > 0 ? h0 - above : 0;
    const int64_t z1 = lesser(h1 + below, m.height);
    // With several images the band is all of them: their rows lie one after the other.
    const int64_t rows = ((images - 1) * m.height + z1 - z0) * m.width;
    const int64_t z_ld = up_div(sizes.width, Vec<T>::width) * Vec<T>::width;
    T* z = workspace<T>(rows * z_ld, 2);
    multiply({rows, sizes.width, v.channels, v.s + (image0 * m.height + z0) * m.width * v.s_ld, v.s_ld, false, {}, z,
              z_ld, {}});
    const Epilogue<T>& e = v.epilogue;
    const bool finishes = e.act != Activation::none || e.gate || (e.bias && e.accumulate);
    for (int64_t image = 0; image < images; ++image) {
      const int64_t p0 = ((image0 + image) * m.height + h0) * m.width;
      T* c = v.c + p0 * v.ldc;
      sum_moved(m, h0, h1, z + image * m.height * m.width * z_ld, z_ld, z0, v.columns, e.bias, e.accumulate, c, v.ldc);
      if (finishes) finish(e, p0, (h1 - h0) * m.width, 0, v.columns, c, v.ldc);
    }
  }
};

}  // namespace flow::FLOW_ISA
