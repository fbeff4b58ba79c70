// residual_series: the power series of log det(I + J) with probes v, and the vector of its Neumann gradient. J is the
// Jacobian of a network by its layers, J = A_L S_L ⋯ A_1 S_1, A a linear map or convolution, S the diagonal slopes before it:
//   w_k = (Jᵀ)ᵏ v      series[n] = Σ_k (−1)^(k−1) q_k/k · w_kᵀv      weighted = Σ_k (−1)^(k−1) q_k w_(k−1),      k = 1, 2, …
// over the rows of sample n. The terms behind the last q that is not 0 are not computed: a count that is drawn while a program
// runs costs what it says, and nothing is kept of a term when the next begins.
//
// in: v, q float64 [1 or N, K], then (weight, slopes before it or absent) a layer; out: weighted (perhaps absent), series [N]
// float64; attributes: positions of a sample, then for each layer the number of live taps, 0 for a linear map, and behind it, for
// a convolution, what ops/conv2d_operands.h lists.
//
// Linear layers run block of rows by block, with weights that were packed once, through all terms; convolutions term by term.
#include "ops/conv2d.h"
#include "ops/lanes.h"
#include "ops/log_det.h"
#include "ops/mlp.h"
#include "ops/residual_series_operands.h"

namespace flow::FLOW_ISA {
namespace {

struct Series : ResidualLayers<ConvShape> {
  const Operand* v;
  const Operand* q;
  const Operand* weighted;
  VectorView<double> sums;

  double q_of(int64_t sample, int64_t term) const {
    return q->as<double>()[(q->rows == 1 ? 0 : sample) * q->ld + term];
  }
  // Terms of the samples first … last − 1 up to the last that counts.
  int64_t terms(int64_t first, int64_t last) const {
    if (q->rows == 1) last = min_of(last, first + 1);
    int64_t count = 0;
    for (int64_t n = first; n < last; ++n)
      for (int64_t k = q->cols; k > count; --k)
        if (q_of(n, k - 1) != 0) count = k;
    return count;
  }
};

inline double sign_of(int64_t term) { return term % 2 == 1 ? 1 : -1; }

// weighted += ±q_k·w for the rows of some samples. A sample of q_k = 0 is left alone here and below: its w may have overflowed
// while others of the block went on, and 0·∞ is NaN.
template <class T>
void add_weighted(const Series& s, int64_t first, int64_t last, int64_t term, const T* w, int64_t ld) {
  if (s.weighted->absent()) return;
  const int64_t cols = s.v->cols;
  for (int64_t n = first; n < last; ++n) {
    if (s.q_of(n, term - 1) == 0) continue;
    const Vec<T> factor(static_cast<T>(sign_of(term) * s.q_of(n, term - 1)));
    for (int64_t r = n * s.positions; r < (n + 1) * s.positions; ++r) {
      T* to = s.weighted->as<T>() + r * s.weighted->ld;
      const T* from = w + (r - first * s.positions) * ld;
      for_lanes<Vec<T>>(cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
        store_live(to + c, factor * load_live(from + c, live) + load_live(to + c, live), live);
      });
    }
  }
}

// series[n] += ±q_k/k·wᵀv.
template <class T>
void add_trace(const Series& s, int64_t first, int64_t last, int64_t term, const T* w, int64_t ld) {
  for (int64_t n = first; n < last; ++n) {
    if (s.q_of(n, term - 1) == 0) continue;
    LogDetSum sum;
    for (int64_t r = n * s.positions; r < (n + 1) * s.positions; ++r) {
      const T *a = w + (r - first * s.positions) * ld, *b = s.v->as<T>() + r * s.v->ld;
      for_lanes<Vec<T>>(s.v->cols, [&](int64_t c, int live) FLOW_INLINE_LAMBDA {
        sum.add(load_live(a + c, live) * load_live(b + c, live));
      });
    }
    s.sums[n] += sign_of(term) * s.q_of(n, term - 1) / static_cast<double>(term) * sum.total();
  }
}

template <class T>
void clear(const Series& s, int64_t first, int64_t last) {
  for (int64_t n = first; n < last; ++n) s.sums[n] = 0;
  if (s.weighted->absent()) return;
  for (int64_t r = first * s.positions; r < last * s.positions; ++r)
    __builtin_memset(s.weighted->as<T>() + r * s.weighted->ld, 0, static_cast<size_t>(s.weighted->cols) * sizeof(T));
}

template <class T>
void run_linear(const Series& s) {
  MlpNetwork net{};
  net.rows = s.rows;
  net.dtype = s.v->dtype;
  net.layers = s.layers;
  Pieces<T> pieces;
  int64_t at[max_layers];
  for (int64_t l = 0; l < s.layers; ++l) {
    net.layer[l] = {s.layer[l].units, s.layer[l].inputs, s.layer[l].weight, nullptr};
    at[l] = pieces.take(packed_b_elements<T>(s.layer[l].inputs, s.layer[l].units));
  }
  const uint64_t stamp = next_stamp();
  const RowBlocks blocks(s.rows);
  run_mlp_tasks(blocks.count, is_small(net), [&](int64_t block) {
    const T* packed = thread_weights<T>(net, 0, true, pieces, at, stamp);
    const int64_t r0 = blocks.start(block), r1 = blocks.start(block + 1), rows = r1 - r0;
    T* own = static_cast<T*>(scratch(static_cast<size_t>(2 * rows * s.widest + 64) * sizeof(T), 5));
    const T* w = s.v->as<T>() + r0 * s.v->ld;
    int64_t ld = s.v->ld, turn = 0;
    clear<T>(s, r0, r1);
    const int64_t terms = s.terms(r0, r1);
    for (int64_t term = 1; term <= terms; ++term) {
      add_weighted(s, r0, r1, term, w, ld);
      for (int64_t l = s.layers - 1; l >= 0; --l, turn ^= 1) {
        const ResidualLayer<ConvShape>& layer = s.layer[l];
        PackedProduct<T> p;
        p.m = rows, p.n = layer.inputs, p.k = layer.units;
        p.a = w, p.lda = ld;
        p.b_packed = packed + at[l];
        p.c = own + turn * rows * s.widest, p.ldc = layer.inputs;
        if (layer.slopes) p.epilogue.gate = layer.slopes->as<T>() + r0 * layer.slopes->ld, p.epilogue.gate_ld = layer.slopes->ld;
        run_packed<T>(p, 0, tiles_of(rows));
        w = p.c, ld = p.ldc;
      }
      add_trace(s, r0, r1, term, w, ld);
    }
  });
}

template <class T>
void run_images(const Series& s) {
  const int64_t samples = s.rows / s.positions;
  T* own = static_cast<T*>(scratch(static_cast<size_t>(2 * s.rows * s.widest + 64) * sizeof(T), 4));
  const T* w = s.v->as<T>();
  int64_t ld = s.v->ld, turn = 0;
  const int64_t bytes = s.positions * s.v->cols * 4 * int64_t{sizeof(T)};
  parallel_rows(samples, bytes, [&](int64_t first, int64_t last) { clear<T>(s, first, last); });
  const int64_t terms = s.terms(0, samples);
  for (int64_t term = 1; term <= terms; ++term) {
    parallel_rows(samples, bytes,
                  [&](int64_t first, int64_t last) { add_weighted(s, first, last, term, w + first * s.positions * ld, ld); });
    for (int64_t l = s.layers - 1; l >= 0; --l, turn ^= 1) {
      const ResidualLayer<ConvShape>& layer = s.layer[l];
      Epilogue<T> epilogue;
      if (layer.slopes) epilogue.gate = layer.slopes->as<T>(), epilogue.gate_ld = layer.slopes->ld;
      T* to = own + turn * s.rows * s.widest;
      const T* weight = layer.weight->as<T>();
      if (layer.shape.live > 0) {
        conv_grad_input<T>(layer.shape, w, ld, weight, layer.weight->ld, to, layer.inputs, epilogue);
      } else {
        gemm<T>(Trans::no, Trans::no, s.rows, layer.inputs, layer.units, w, ld, weight, layer.weight->ld, to, layer.inputs,
                epilogue);
      }
      w = to, ld = layer.inputs;
    }
    parallel_rows(samples, bytes,
                  [&](int64_t first, int64_t last) { add_trace(s, first, last, term, w + first * s.positions * ld, ld); });
  }
}

bool residual_series(const Call& call) {
  const Operand& v = call.in[0];
  Series s{};
  ConvTap* taps = tap_space(call.n_attr / 3);
  const auto read = [&](ResidualLayer<ConvShape>& layer, int at, int64_t live) {
    ConvTap* own = taps;
    taps += live;
    return read_conv(call, at, live, s.rows, layer.units, layer.weight->cols, own, layer.shape);
  };
  if (!read_residual_series(call, s, read)) return false;
  s.v = &v, s.q = &call.in[1], s.weighted = &call.out[0];
  s.sums = vector_view<double>(call.out[1]);
  if (s.rows == 0) return true;
  return with_float(call, v, "v", [&](auto zero) {
    using T = decltype(zero);
    if (s.images) run_images<T>(s);
    else run_linear<T>(s);
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(residual_series) = {"residual_series", residual_series, 4, 2 + 2 * max_layers, 2, -1};

}  // namespace flow::FLOW_ISA
