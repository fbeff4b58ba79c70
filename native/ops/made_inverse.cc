// made_inverse: the inverse of an autoregressive map x_i → f(x_i; p_i) whose P parameters p_i of each dimension a MADE makes of
// the dimensions before it: dimension after dimension, every hidden unit computed once, as soon as the inputs that it sees are
// known. The cost is that of one forward pass, and of the roots. f is affine, (x − mu)·exp(−a) with P = 2, or an increasing
// function of ops/monotone.h or ops/umnn.h, whose roots are found for all samples side by side.
// in: y [N, D] in the order of the degrees, addend of the first layer [N, H1] or absent, direct weight [P·D, D] or absent
// (output row r sees the inputs below r/P), then weight, bias or absent, extents of each layer (see made_network.h), then the
// operands of ops/umnn.h with scale map 18.
// out: x [N, D], logDet [N] float64 = log|det dx/dy|; where roots are found also iterations [N] int32, residual [N] float64 and
// converged [N] int32, as monotone_inverse has them.
// attributes: activation, its parameter, scale map, bound, residual (0 or 1); with scale map 16 the five of ops/monotone.h too,
// with 17 the first eight of ops/spline.h, with 18 the five of ops/umnn.h.
//
// residual, with h the stream: h = layer 0(x); h += layer 2(act(layer 1(act(h)))); …; output(act(h)).
#include "ops/incremental.h"
#include "ops/made_network.h"
#include "ops/monotone_solve.h"
#include "ops/spline.h"
#include "ops/umnn.h"
#include "simd/gemm_epilogue.h"

namespace flow::FLOW_ISA {
namespace {

// The scale maps of the attributes that mean: not affine, but the family, or the spline, that follows.
constexpr double monotone_map = 16, spline_map = 17, umnn_map = 18;

template <class T>
struct Setup {
  MadeNetwork network;
  const Operand& y;
  const Operand& addend;
  const Operand& direct;
  const Operand& x;
  VectorView<double> log_det;
  Activation act;
  T act_param;
  bool residual;
  int64_t lanes;
};

// Writes bias + what stands in the rows (the addend), or the bias.
template <class T>
FLOW_INLINE void start_rows(const T* bias, int64_t first, int64_t last, T* rows, int64_t lanes, bool keep) {
  using V = Vec<T>;
  for (int64_t u = first; u < last; ++u, rows += lanes) {
    const V b(bias ? bias[u] : T(0));
    for (int64_t i = 0; i < lanes; i += V::width) store(rows + i, keep ? load<V>(rows + i) + b : b);
  }
}

template <class T>
FLOW_INLINE void add_wide(double* sum, Vec<T> a) {
  if constexpr (sizeof(T) == 8) {
    store(sum, load<Vec<T>>(sum) + a);
  } else {
    using D = Vec<double>;
    D low, high;
    widen(a, low, high);
    store(sum, load<D>(sum) + low);
    store(sum + D::width, load<D>(sum + D::width) + high);
  }
}

template <class T>
void activate_rows(Activation act, T param, T* z, int64_t count) {
  finish_block<T>(1, count, z, count, nullptr, act, param, nullptr, 0, Activation::none, T(0));
}

// The map of one dimension; one compiled walk through the network serves all of them.
template <class T>
struct DimensionMap {
  // P, and numbers of scratch a lane.
  virtual int64_t params() const = 0;
  virtual int64_t work() const { return 0; }
  // The dimension that has just become known: params [P][lanes], value: y, then x; log_det += log dx/dy. Of the lanes,
  // the first `live` are the samples from row0.
  virtual void invert(T* params, T* value, double* log_det, int64_t lanes, T* work, int64_t row0, int64_t live) const = 0;
};

// The affine map: x = y·exp(a) + mu.
template <ScaleMap map, class T>
struct AffineMap final : DimensionMap<T> {
  T bound;

  explicit AffineMap(T bound) : bound(bound) {}
  int64_t params() const override { return 2; }
  void invert(T* params, T* value, double* log_det, int64_t lanes, T*, int64_t, int64_t) const override {
    using V = Vec<T>;
    const V limit(bound), inverse_limit(T(1) / bound);
    for (int64_t k = 0; k < lanes; k += V::width) {
      const V a = log_scale<map>(load<V>(params + lanes + k), limit, inverse_limit);
      store(value + k, affine_inverse<map>(load<V>(value + k), load<V>(params + k), a));
      add_wide(log_det + k, a);
    }
  }
};

template <class Family, class T>
struct MonotoneMap final : DimensionMap<T> {
  const Family& family;
  SolveOutputs report;

  MonotoneMap(const Family& family, const SolveOutputs& report) : family(family), report(report) {}
  int64_t params() const override { return family.params(); }
  int64_t work() const override { return family.work(); }
  void invert(T* params, T* value, double* log_det, int64_t lanes, T* work, int64_t row0, int64_t live) const override {
    using V = Vec<T>;
    for (int64_t k = 0; k < lanes; k += V::width) {
      const Root<V> root = solve_monotone(family, Rows<V>{params + k, lanes}, Rows<V>{work, V::width}, load<V>(value + k));
      store(value + k, root.x);
      add_wide(log_det + k, -root.log_slope);
      T iterations[V::width], residual[V::width];
      store(iterations, root.iterations);
      store(residual, root.residual);
      for (int64_t i = 0; i < V::width && k + i < live; ++i) report.add(row0 + k + i, iterations[i], residual[i]);
    }
  }
};

// Numbers with `lanes` samples side by side, of which one register counts.
template <class T>
struct WideRows {
  const T* p;
  int64_t lanes;
  FLOW_INLINE Vec<T> get(int64_t i) const { return load<Vec<T>>(p + i * lanes); }
};

template <SplineKind kind, class T>
struct SplineMap final : DimensionMap<T> {
  SplineShape shape;

  explicit SplineMap(const SplineShape& shape) : shape(shape) {}
  int64_t params() const override { return shape.count(kind); }
  int64_t work() const override { return spline_arrays * (shape.bins + 1); }
  void invert(T* params, T* value, double* log_det, int64_t lanes, T* work, int64_t, int64_t) const override {
    using V = Vec<T>;
    T* rest = nullptr;
    const SplineRows<LaneRows<T>> rows = spline_rows(work, shape.bins, rest);
    for (int64_t k = 0; k < lanes; k += V::width) {
      spline_knots<kind, V>(shape, WideRows<T>{params + k, lanes}, rows);
      V x, log_slope;
      spline_element<kind, true>(shape, rows, load<V>(value + k), x, log_slope);
      store(value + k, x);
      add_wide(log_det + k, log_slope);
    }
  }
};

template <class T>
void run_tile(const Setup<T>& s, const DimensionMap<T>& map, int64_t row0, int64_t live) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int64_t lanes = s.lanes, features = s.y.cols;
  const int hidden_layers = s.network.layers - 1;
  const int64_t stream_units = s.residual && hidden_layers > 0 ? s.network.units(0) : 0;
  const int64_t each = map.params();
  int64_t rows = features + block_units + stream_units + each;
  for (int l = 0; l < hidden_layers; ++l) rows += s.network.units(l);
  T* memory = static_cast<T*>(scratch(static_cast<size_t>(rows * lanes + map.work() * w) * sizeof(T) + kVectorBytes, 4));
  double* log_det = static_cast<double*>(scratch(static_cast<size_t>(lanes) * sizeof(double), 5));
  for (int64_t i = 0; i < lanes; ++i) log_det[i] = 0;

  T* x = memory;  // row i holds y_i until x_i takes its place
  T* next = x + features * lanes;
  IncrementalLayer<T> layers[max_made_layers];
  for (int l = 0; l <= hidden_layers; ++l) {
    const bool output = l == hidden_layers;
    const Operand& weight = s.network.weight(l);
    layers[l] = {weight.template as<T>(), weight.ld, s.network.extent(l), weight.rows, l == 0 ? x : layers[l - 1].values, next,
                 !output, lanes};
    next += (output ? block_units : weight.rows) * lanes;
  }
  T* stream = next;
  T* params = stream + stream_units * lanes;
  T* work = params + each * lanes;
  IncrementalLayer<T>& out = layers[hidden_layers];
  if (!s.direct.absent()) {
    out.second = s.direct.template as<T>();
    out.second_ld = s.direct.ld;
    out.second_in = x;
    out.second_group = each;
  }
  transpose_block(s.y.template as<T>() + row0 * s.y.ld, s.y.ld, live, features, x, lanes, lanes);
  if (!s.addend.absent())
    transpose_block(s.addend.template as<T>() + row0 * s.addend.ld, s.addend.ld, live, s.addend.cols, layers[0].values, lanes,
                    lanes);

  for (int64_t i = 0; i < features; ++i) {
    int64_t known = i;
    for (int l = 0; l < hidden_layers; ++l) {
      IncrementalLayer<T>& layer = layers[l];
      const T* bias = s.network.bias(l).template as<T>();
      const bool has_addend = l == 0 && !s.addend.absent();
      layer.advance(
          known,
          [&](int64_t first, int64_t last) { start_rows(bias, first, last, layer.row(first), lanes, has_addend); },
          [&](int64_t first, int64_t last) {
            T* z = layer.row(first);
            const int64_t count = (last - first) * lanes;
            if (s.residual && l % 2 == 0) {
              T* h = stream + first * lanes;
              for (int64_t k = 0; k < count; k += w) {
                const V sum = l == 0 ? load<V>(z + k) : load<V>(z + k) + load<V>(h + k);
                store(z + k, sum);
                store(h + k, sum);
              }
            }
            activate_rows(s.act, s.act_param, z, count);
          });
      known = layer.known;
    }
    // The parameters of dimension i. With no hidden layer and an addend, the addend is the output's own: not supported.
    const T* bias = s.network.bias(hidden_layers).template as<T>();
    for (int64_t p = 0; p < each; ++p) {
      out.complete([&](int64_t first, int64_t last) { start_rows(bias, first, last, out.values, lanes, false); });
      const T* row = out.row(out.known++);
      for (int64_t k = 0; k < lanes; k += w) store(params + p * lanes + k, load<V>(row + k));
    }
    map.invert(params, x + i * lanes, log_det, lanes, work, row0, live);
  }
  transpose_block(x, lanes, features, live, s.x.template as<T>() + row0 * s.x.ld, s.x.ld, features);
  for (int64_t i = 0; i < live; ++i) s.log_det[row0 + i] = log_det[i];
}

template <class T>
bool run(const Call& call, Activation act, double act_param, const DimensionMap<T>& map, int behind = 0) {
  const Operand& y = call.in[0];
  const Operand& addend = call.in[1];
  const Operand& direct = call.in[2];
  const Operand& x = call.out[0];
  const int64_t samples = y.rows, features = y.cols, each = map.params();
  const bool residual = call.attr[4] != 0;
  MadeNetwork network;
  if (!check_like(call, x, "x", y, features) || !check_log_det(call, call.out[1], "logDet", samples) ||
      !read_network(call, 3, call.n_in - 3 - behind, features, y.dtype, residual, network, each))
    return false;
  if (!addend.absent()) {
    FLOW_CHECK(call, network.layers > 1, "addend: expected a network with hidden layers");
    if (!check_shape(call, addend, "addend", samples, network.units(0), y.dtype)) return false;
  }
  if (!direct.absent() && !check_shape(call, direct, "direct weight", each * features, features, y.dtype)) return false;
  const int64_t lanes = lanes_of<T>(samples);
  const Setup<T> setup{network, y, addend, direct, x, vector_view<double>(call.out[1]), act, static_cast<T>(act_param), residual,
                       lanes};
  parallel(ceil_div(samples, lanes),
           [&](int64_t tile) { run_tile(setup, map, tile * lanes, min_of(lanes, samples - tile * lanes)); });
  return true;
}

bool made_inverse(const Call& call) {
  const Operand& y = call.in[0];
  const int64_t samples = y.rows;
  FLOW_CHECK(call, call.n_attr >= 5, "attributes: expected 5 or more, got %d", call.n_attr);
  const bool monotone = call.attr[2] == monotone_map, splines = call.attr[2] == spline_map, umnn = call.attr[2] == umnn_map;
  const int more = monotone ? monotone_attributes : splines ? spline_attributes - 1 : umnn ? umnn_attributes : 0;
  FLOW_CHECK(call, call.n_attr == 5 + more && call.n_out == (monotone || umnn ? 5 : 2),
             "scale map %g: got %d attributes, %d outputs", call.attr[2], call.n_attr, call.n_out);
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    if (splines)
      return with_spline(call, 5, [&](auto tag, const SplineShape& shape) {
        return run<T>(call, act, act_param, SplineMap<decltype(tag)::value, T>(shape));
      });
    if (!monotone && !umnn)
      return with_scale_map(call, 2, [&](auto tag, double bound) {
        return run<T>(call, act, act_param, AffineMap<decltype(tag)::value, T>(static_cast<T>(bound)));
      });
    SolveOutputs report;
    if (!read_report(call, 2, samples, report)) return false;
    for (int64_t n = 0; n < samples; ++n) report.start(n);
    if (umnn) {
      FLOW_CHECK(call, call.attr[5] >= 1 && call.attr[5] < most_umnn_layers, "integrand: expected 1 to %d hidden layers, got %g",
                 most_umnn_layers - 1, call.attr[5]);
      const int behind = umnn_operands(call, 5);
      FLOW_CHECK(call, call.n_in >= 6 + behind, "integrand: expected %d operands behind the network, got %d in all", behind, call.n_in);
      Umnn<Vec<T>> family;
      return read_umnn(call, 5, call.n_in - behind, y.dtype, family) &&
             run<T>(call, act, act_param, MonotoneMap<Umnn<Vec<T>>, T>(family, report), behind);
    }
    return with_monotone<Vec<T>>(call, 5, [&]<class Family>(const Family& family) {
      return run<T>(call, act, act_param, MonotoneMap<Family, T>(family, report));
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse) = {"made_inverse", made_inverse, 6, 3 + 3 * max_made_layers + 4 + 2 * most_umnn_layers, -1, -1};

}  // namespace flow::FLOW_ISA
