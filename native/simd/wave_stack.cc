#include "wave_stack.h"

#include "column_sums.h"
#include "gemm_blocks.h"
#include "math.h"
#include "math/gated_activation.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t kBlockRows = 120;  // whole tiles; a block of 64 channels is in the first-level cache
constexpr int64_t kMostPieces = 16;  // of the rows, with a sum of the weights' gradients each

/** B of a product, packed whole: its panels lie one after the other. */
template <class T>
struct Packed {
  int64_t n = 0, k = 0;
  PackSource<T> source = {};
  T* panels = nullptr;

  int64_t elements() const { return panels_of<T>(n) * k * kPanelColumns<T>; }
  void pack() const {
    for (int64_t panel = 0; panel < panels_of<T>(n); ++panel) {
      const int64_t n0 = panel * kPanelColumns<T>;
      pack_panel(source, 0, k, n0, static_cast<int>(lesser(kPanelColumns<T>, n - n0)), panels + panel * k * kPanelColumns<T>);
    }
  }
};

/** c [m, n] = bias + a·B, or c + a·B. */
template <class T>
void multiply(int64_t m, const T* a, int64_t lda, const Packed<T>& b, const T* bias, bool accumulate, T* c, int64_t ldc) {
  if (m <= 0 || b.n <= 0) return;
  Product<T> part = {m, b.n, b.k, a, lda, false, {}, c, ldc, {}};
  part.epilogue.accumulate = accumulate;
  part.epilogue.bias = accumulate ? nullptr : bias;
  const RowTiles tiles(m);
  for (int64_t panel = 0; panel < panels_of<T>(b.n); ++panel)
    run_panel<T>(part, tiles, 0, tiles.tiles, panel, b.panels + panel * b.k * kPanelColumns<T>, nullptr);
}

/** c [m, n] (+)= aᵀ·b over `depth` rows of a [depth, m] and b [depth, n]. Slot 3 is used. */
template <class T>
void correlate(int64_t depth, int64_t m, int64_t n, const T* a, int64_t lda, const T* b, int64_t ldb, bool onto, T* c,
               int64_t ldc) {
  if (depth <= 0 || m <= 0 || n <= 0) return;
  Product<T> part = {m, n, depth, a, lda, true, {b, ldb, false, MaskKind::none, nullptr}, c, ldc, {}};
  part.epilogue.accumulate = onto;
  T* work = workspace<T>(kBlockRows * kPanelColumns<T>, 3);
  const RowTiles tiles(m);
  for (int64_t panel = 0; panel < panels_of<T>(n); ++panel)
    run_panel<T>(part, tiles, 0, tiles.tiles, panel, nullptr, work);
}

/** Where rows p0 … p1 read another row of their sequence, `step` away: body(first, last, whether it is there). */
template <class F>
void for_moves(int64_t length, int64_t step, int64_t p0, int64_t p1, const F& body) {
  for (int64_t p = p0; p < p1;) {
    const int64_t start = p - p % length, end = lesser(p1, start + length);
    // The rows that read inside: from `first` to `last`.
    const int64_t first = lesser(end, step < 0 ? start - step : start);
    const int64_t last = lesser(end, step > 0 ? (start + length - step > start ? start + length - step : start) : end);
    if (p < first) body(p, first, false);
    if (p < first) p = first;
    if (p < last) body(p, last, true);
    if (p < last) p = last;
    if (p < end) body(p, end, false);
    p = end;
  }
}

/** to [rows, columns] = from, or with a bias. */
template <class T>
void copy_rows(int64_t rows, int64_t columns, const T* from, int64_t from_ld, const T* bias, T* to, int64_t to_ld) {
  using V = Vec<T>;
  constexpr int w = V::width;
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = from + r * from_ld;
    T* out = to + r * to_ld;
    int64_t c = 0;
    for (; c + w <= columns; c += w) store(out + c, bias ? load<V>(in + c) + load<V>(bias + c) : load<V>(in + c));
    if (c == columns) continue;
    const int live = static_cast<int>(columns - c);
    V value = load_partial<V>(in + c, live);
    if (bias) value += load_partial<V>(bias + c, live);
    store_partial(out + c, value, live);
  }
}

/** body(at, live, load, store) over `columns`, a register at a time. */
template <class T, class F>
FLOW_INLINE void over_columns(int64_t columns, const F& body) {
  constexpr int w = Vec<T>::width;
  int64_t c = 0;
  for (; c + w <= columns; c += w) body(c, w);
  if (c < columns) body(c, static_cast<int>(columns - c));
}
template <class T>
FLOW_INLINE Vec<T> read(const T* p, int live) {
  return live == Vec<T>::width ? load<Vec<T>>(p) : load_partial<Vec<T>>(p, live);
}
template <class T>
FLOW_INLINE void write(T* p, Vec<T> x, int live) {
  if (live == Vec<T>::width)
    store(p, x);
  else
    store_partial(p, x, live);
}

/** z ← [tanh(z_1…G) | σ(z_G+1…2G)], g = their product. */
template <class T>
FLOW_NOINLINE void gate_rows(int64_t rows, int64_t gated, T* z, int64_t z_ld, T* g) {
  for (int64_t r = 0; r < rows; ++r) {
    T *a = z + r * z_ld, *b = a + gated, *out = g + r * gated;
    over_columns<T>(gated, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      const Vec<T> t = tanh(read(a + c, live)), s = sigmoid(read(b + c, live));
      write(a + c, t, live);
      write(b + c, s, live);
      write(out + c, t * s, live);
    });
  }
}

/** dz of dg and the factors; g = their product. */
template <class T>
FLOW_NOINLINE void ungate_rows(int64_t rows, int64_t gated, const T* gates, int64_t gates_ld, const T* dg, T* dz, T* g) {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r) {
    const T *a = gates + r * gates_ld, *b = a + gated, *d = dg + r * gated;
    T *da = dz + r * 2 * gated, *db = da + gated, *out = g + r * gated;
    over_columns<T>(gated, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      const V t = read(a + c, live), s = read(b + c, live), by_t = read(d + c, live) * s;
      write(da + c, by_t * (V(1) - t * t), live);
      write(db + c, by_t * t * (V(1) - s), live);
      write(out + c, t * s, live);
    });
  }
}

/** The weights of a layer, packed for the passes that run. */
template <class T>
struct PackedLayer {
  Packed<T> before, own, condition;  // columns of W
  Packed<T> skip, residual;          // rows of Wo

  template <class F>
  void each(const F& body) {
    body(before), body(own), body(condition), body(skip), body(residual);
  }
};

/** Forward: B(k, n) = W(n, k). Backward: B(k, n) = W(k, n). */
template <class T>
PackedLayer<T> sources(const WaveShape& v, const WaveLayer<T>& layer, bool last, bool backward) {
  const auto part = [&](const WaveMatrix<const T>& w, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    const PackSource<T> source = {w.data + row * w.ld + column, w.ld, !backward, MaskKind::none, nullptr};
    return backward ? Packed<T>{columns, rows, source} : Packed<T>{rows, columns, source};
  };
  const int64_t R = v.channels, G = v.gated;
  return {part(layer.w, 0, 2 * G, 0, R), part(layer.w, 0, 2 * G, R, R), part(layer.w, 0, 2 * G, 2 * R, v.condition),
          part(layer.wo, 0, v.skips, 0, G), last ? Packed<T>{} : part(layer.wo, v.skips, R, 0, G)};
}

/** Packs all weights, in parallel. Slot 0 is used. */
template <class T>
void pack_layers(const WaveShape& v, const WaveLayer<T>* layers, bool backward, PackedLayer<T>* packed) {
  int64_t size = 0;
  for (int64_t l = 0; l < v.layers; ++l) {
    packed[l] = sources(v, layers[l], l + 1 == v.layers, backward);
    packed[l].each([&](const Packed<T>& part) { size += part.elements(); });
  }
  T* at = workspace<T>(size, 0);
  for (int64_t l = 0; l < v.layers; ++l)
    packed[l].each([&](Packed<T>& part) {
      part.panels = at;
      at += part.elements();
    });
  parallel(v.layers, [&](int64_t l) { packed[l].each([](const Packed<T>& part) { part.pack(); }); });
}

template <class T>
void add_to(T* sum, const T* from, int64_t n) {
  over_columns<T>(n, [&](int64_t c, int live) FLOW_INLINE_LAMBDA { write(sum + c, read(sum + c, live) + read(from + c, live), live); });
}

/** As above, the sum in float64. */
template <class T>
void add_widened(double* sum, const T* from, int64_t n) {
  for (int64_t c = 0; c < n; ++c) sum[c] += static_cast<double>(from[c]);
}

/** Where the sums of a layer's gradients by the weights stand in a piece's memory; those by the biases stand in float64 elsewhere. */
struct GradientPlan {
  int64_t wo = 0, total = 0;

  GradientPlan(const WaveShape& v, int64_t outputs) {
    wo = 2 * v.gated * v.inputs();
    total = wo + outputs * v.gated;
  }
};

/** to [rows, columns] = the sum of `pieces` matrices, `stride` apart. */
template <class T>
void sum_pieces(int64_t rows, int64_t columns, const T* from, int64_t pieces, int64_t stride, T* to, int64_t to_ld) {
  using V = Vec<T>;
  for (int64_t r = 0; r < rows; ++r)
    over_columns<T>(columns, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
      V sum(T(0));
      for (int64_t piece = 0; piece < pieces; ++piece) sum += read(from + piece * stride + r * columns + c, live);
      write(to + r * to_ld + c, sum, live);
    });
}

/** to [columns] = the sum of `pieces` rows, `stride` apart. */
template <class T>
void sum_biases(int64_t columns, const double* from, int64_t pieces, int64_t stride, T* to) {
  for (int64_t c = 0; c < columns; ++c) {
    double sum = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) sum += from[piece * stride + c];
    to[c] = static_cast<T>(sum);
  }
}

}  // namespace

template <class T>
void wave_stack_forward(const WaveShape& v, const WaveLayer<T>* layers, WaveMatrix<const T> condition, WaveMatrix<T> skip) {
  if (v.rows <= 0) return;
  const int64_t R = v.channels, G = v.gated, S = v.skips, last_layer = v.layers - 1;
  static_assert(sizeof(PackedLayer<T>) < 512);
  PackedLayer<T>* packed = static_cast<PackedLayer<T>*>(scratch(static_cast<size_t>(v.layers) * sizeof(PackedLayer<T>), 4));
  pack_layers(v, layers, false, packed);
  bool keeps_h = true;
  for (int64_t l = 1; l < v.layers; ++l) keeps_h = keeps_h && layers[l].h;
  T* turns = keeps_h ? nullptr : workspace<T>(2 * v.rows * R, 5);
  // The biases of the skips are added once.
  T* skip_bias = workspace<T>(S, 6);
  zero(skip_bias, S);
  for (int64_t l = 0; l < v.layers; ++l) add_to(skip_bias, layers[l].bo, S);

  WaveMatrix<const T> h = {layers[0].h.data, layers[0].h.ld};
  for (int64_t l = 0; l < v.layers; ++l) {
    const WaveLayer<T>& layer = layers[l];
    const PackedLayer<T>& weights = packed[l];
    WaveMatrix<T> next;
    if (l < last_layer) next = keeps_h ? layers[l + 1].h : WaveMatrix<T>{turns + (l & 1) * v.rows * R, R};
    parallel(up_div(v.rows, kBlockRows), [&](int64_t block) {
      const int64_t p0 = block * kBlockRows, p1 = lesser(p0 + kBlockRows, v.rows), rows = p1 - p0;
      T* own_z = workspace<T>(3 * kBlockRows * G, 2);
      T* g = own_z + 2 * kBlockRows * G;
      const WaveMatrix<T> z = layer.gates ? WaveMatrix<T>{layer.gates.row(p0), layer.gates.ld} : WaveMatrix<T>{own_z, 2 * G};
      for_moves(v.length, -layer.dilation, p0, p1, [&](int64_t from, int64_t to, bool inside) {
        T* c = z.row(from - p0);
        if (inside) multiply<T>(to - from, h.row(from - layer.dilation), h.ld, weights.before, layer.b, false, c, z.ld);
        multiply<T>(to - from, h.row(from), h.ld, weights.own, layer.b, inside, c, z.ld);
      });
      if (v.condition > 0) multiply<T>(rows, condition.row(p0), condition.ld, weights.condition, nullptr, true, z.data, z.ld);
      gate_rows(rows, G, z.data, z.ld, g);
      if (next) {
        copy_rows(rows, R, h.row(p0), h.ld, layer.bo + S, next.row(p0), next.ld);
        multiply<T>(rows, g, G, weights.residual, nullptr, true, next.row(p0), next.ld);
      }
      multiply<T>(rows, g, G, weights.skip, skip_bias, l > 0, skip.row(p0), skip.ld);
    });
    h = {next.data, next.ld};
  }
}

template <class T>
void wave_stack_backward(const WaveShape& v, const WaveLayer<T>* layers, WaveMatrix<const T> condition,
                         WaveMatrix<const T> dL_dskip, const WaveGradient<T>* gradients, WaveMatrix<T> dL_dx,
                         WaveMatrix<T> dL_dc) {
  const int64_t R = v.channels, G = v.gated, S = v.skips, C = v.condition;
  if (v.rows <= 0) {
    for (int64_t l = 0; l < v.layers; ++l) {
      const WaveGradient<T>& out = gradients[l];
      for (int64_t r = 0; out.dL_dw && r < 2 * G; ++r) zero(out.dL_dw.row(r), v.inputs());
      for (int64_t r = 0; out.dL_dwo && r < v.outputs(l); ++r) zero(out.dL_dwo.row(r), G);
      if (out.dL_db) zero(out.dL_db, 2 * G);
      if (out.dL_dbo) zero(out.dL_dbo, v.outputs(l));
    }
    return;
  }
  PackedLayer<T>* packed = static_cast<PackedLayer<T>*>(scratch(static_cast<size_t>(v.layers) * sizeof(PackedLayer<T>), 4));
  pack_layers(v, layers, true, packed);
  const int64_t blocks = up_div(v.rows, kBlockRows), pieces = lesser(kMostPieces, blocks);
  const int64_t most = GradientPlan(v, S + R).total;
  // dz of two layers, dh, and the pieces' sums.
  T* memory = workspace<T>(v.rows * (4 * G + R) + pieces * most, 5);
  T* dzs[2] = {memory, memory + v.rows * 2 * G};
  T* dh = memory + v.rows * 4 * G;
  T* sums = dh + v.rows * R;
  const int64_t widest = 2 * G + S + R;
  double* biases = workspace<double>(pieces * widest, 6);  // a piece: by b, then by bo
  // Layers below the last that anyone asks for need not be walked.
  int64_t lowest = 0;
  if (!dL_dx && !dL_dc)
    while (lowest < v.layers - 1 && !gradients[lowest].any()) ++lowest;

  // dh of the rows p0 … p1: what layer l + 1 gives to its input, added to what came through beside it.
  const auto through = [&](int64_t above, int64_t p0, int64_t p1, WaveMatrix<T> from, WaveMatrix<T> to) {
    const T* dz = dzs[above & 1];
    const int64_t rows = p1 - p0, step = layers[above].dilation;
    if (from && from.data != to.data) copy_rows<T>(rows, R, from.row(p0), from.ld, nullptr, to.row(p0), to.ld);
    multiply<T>(rows, dz + p0 * 2 * G, 2 * G, packed[above].own, nullptr, bool(from), to.row(p0), to.ld);
    for_moves(v.length, step, p0, p1, [&](int64_t first, int64_t last, bool inside) {
      if (inside) multiply<T>(last - first, dz + (first + step) * 2 * G, 2 * G, packed[above].before, nullptr, true, to.row(first), to.ld);
    });
  };

  for (int64_t l = v.layers - 1; l >= lowest; --l) {
    const WaveLayer<T>& layer = layers[l];
    const WaveGradient<T>& out = gradients[l];
    const PackedLayer<T>& weights = packed[l];
    const int64_t outputs = v.outputs(l), K = v.inputs();
    const bool top = l + 1 == v.layers;
    const GradientPlan plan(v, outputs);
    T* dz = dzs[l & 1];
    const WaveMatrix<T> own = {dh, R};
    parallel(pieces, [&](int64_t piece) {
      const int64_t q0 = piece * blocks / pieces, q1 = (piece + 1) * blocks / pieces;
      T* sum = sums + piece * most;
      T* dg = workspace<T>(2 * kBlockRows * G + widest, 2);
      T* g = dg + kBlockRows * G;
      T* column_sum = g + kBlockRows * G;
      double *sum_b = biases + piece * widest, *sum_bo = sum_b + 2 * G;
      zero(sum, plan.total);
      zero(sum_b, widest);
      for (int64_t q = q0; q < q1; ++q) {
        const int64_t p0 = q * kBlockRows, p1 = lesser(p0 + kBlockRows, v.rows), rows = p1 - p0;
        if (!top) through(l + 1, p0, p1, l + 2 == v.layers ? WaveMatrix<T>{} : own, own);
        multiply<T>(rows, dL_dskip.row(p0), dL_dskip.ld, weights.skip, nullptr, false, dg, G);
        if (!top) multiply<T>(rows, own.row(p0), R, weights.residual, nullptr, true, dg, G);
        T* d = dz + p0 * 2 * G;
        ungate_rows(rows, G, layer.gates.row(p0), layer.gates.ld, dg, d, g);
        if (out.dL_dw) {
          for_moves(v.length, -layer.dilation, p0, p1, [&](int64_t first, int64_t last, bool inside) {
            if (inside)
              correlate<T>(last - first, 2 * G, R, dz + first * 2 * G, 2 * G, layer.h.row(first - layer.dilation), layer.h.ld,
                           true, sum, K);
          });
          correlate<T>(rows, 2 * G, R, d, 2 * G, layer.h.row(p0), layer.h.ld, true, sum + R, K);
          if (C > 0) correlate<T>(rows, 2 * G, C, d, 2 * G, condition.row(p0), condition.ld, true, sum + 2 * R, K);
        }
        if (out.dL_dwo) {
          correlate<T>(rows, S, G, dL_dskip.row(p0), dL_dskip.ld, g, G, true, sum + plan.wo, G);
          if (!top) correlate<T>(rows, R, G, own.row(p0), R, g, G, true, sum + plan.wo + S * G, G);
        }
        if (out.dL_db) {
          sum_rows<T>(rows, 2 * G, d, 2 * G, column_sum);
          add_widened(sum_b, column_sum, 2 * G);
        }
        if (out.dL_dbo) {
          sum_rows<T>(rows, S, dL_dskip.row(p0), dL_dskip.ld, column_sum);
          add_widened(sum_bo, column_sum, S);
          if (!top) {
            sum_rows<T>(rows, R, own.row(p0), R, column_sum);
            add_widened(sum_bo + S, column_sum, R);
          }
        }
        if (dL_dc) multiply<T>(rows, d, 2 * G, weights.condition, nullptr, !top, dL_dc.row(p0), dL_dc.ld);
      }
    });
    constexpr int64_t step = 8;  // rows of a task
    const int64_t w_tasks = out.dL_dw ? up_div(2 * G, step) : 0, wo_tasks = out.dL_dwo ? up_div(outputs, step) : 0;
    parallel(w_tasks + wo_tasks, [&](int64_t task) {
      const bool first = task < w_tasks;
      const int64_t r0 = (first ? task : task - w_tasks) * step, r1 = lesser(r0 + step, first ? 2 * G : outputs);
      if (first)
        sum_pieces(r1 - r0, K, sums + r0 * K, pieces, most, out.dL_dw.row(r0), out.dL_dw.ld);
      else
        sum_pieces(r1 - r0, G, sums + plan.wo + r0 * G, pieces, most, out.dL_dwo.row(r0), out.dL_dwo.ld);
    });
    if (out.dL_db) sum_biases(2 * G, biases, pieces, widest, out.dL_db);
    if (out.dL_dbo) sum_biases(outputs, biases + 2 * G, pieces, widest, out.dL_dbo);
  }
  if (!dL_dx) return;
  parallel(blocks, [&](int64_t block) {
    const int64_t p0 = block * kBlockRows, p1 = lesser(p0 + kBlockRows, v.rows);
    through(0, p0, p1, v.layers == 1 ? WaveMatrix<T>{} : WaveMatrix<T>{dh, R}, dL_dx);
  });
}

#define FLOW_INSTANTIATE(T)                                                                                              \
  template void wave_stack_forward<T>(const WaveShape&, const WaveLayer<T>*, WaveMatrix<const T>, WaveMatrix<T>);        \
  template void wave_stack_backward<T>(const WaveShape&, const WaveLayer<T>*, WaveMatrix<const T>, WaveMatrix<const T>,  \
                                       const WaveGradient<T>*, WaveMatrix<T>, WaveMatrix<T>);
FLOW_INSTANTIATE(float)
FLOW_INSTANTIATE(double)

}  // namespace flow::FLOW_ISA
