// made_inverse: the inverse of x → (x − mu(x))·exp(−a(x)), where mu and a come from a MADE: dimension after dimension,
// every hidden unit computed once, as soon as the inputs that it sees are known. The cost is that of one forward pass.
// in: y [N, D] in the order of the degrees, addend of the first layer [N, H1] or absent, direct weight [2·D, D] or absent
// (output row r sees the inputs below r/2), then weight, bias or absent, extents of each layer (see made_network.h).
// out: x [N, D], logDet [N] float64 = log|det dx/dy| = Σ a.
// attributes: activation, its parameter, scale map, bound, residual (0 or 1).
//
// residual, with h the stream: h = layer 0(x); h += layer 2(act(layer 1(act(h)))); …; output(act(h)).
#include "ops/incremental.h"
#include "ops/made_network.h"
#include "simd/gemm_epilogue.h"

namespace flow::FLOW_ISA {
namespace {

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
  T bound;
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
void activate_rows(Activation act, T param, T* z, int64_t count) {
  finish_block<T>(1, count, z, count, nullptr, act, param, nullptr, 0, Activation::none, T(0));
}

template <ScaleMap map, class T>
void run_tile(const Setup<T>& s, int64_t row0, int64_t live) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int64_t lanes = s.lanes, features = s.y.cols;
  const int hidden_layers = s.network.layers - 1;
  const int64_t stream_units = s.residual && hidden_layers > 0 ? s.network.units(0) : 0;
  int64_t rows = features + block_units + stream_units;
  for (int l = 0; l < hidden_layers; ++l) rows += s.network.units(l);
  T* memory = static_cast<T*>(scratch(static_cast<size_t>(rows * lanes) * sizeof(T) + kVectorBytes, 4));
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
  IncrementalLayer<T>& out = layers[hidden_layers];
  if (!s.direct.absent()) {
    out.second = s.direct.template as<T>();
    out.second_ld = s.direct.ld;
    out.second_in = x;
    out.second_group = 2;
  }
  transpose_block(s.y.template as<T>() + row0 * s.y.ld, s.y.ld, live, features, x, lanes, lanes);
  if (!s.addend.absent())
    transpose_block(s.addend.template as<T>() + row0 * s.addend.ld, s.addend.ld, live, s.addend.cols, layers[0].values, lanes,
                    lanes);

  const V bound(s.bound), inverse_bound(T(1) / s.bound);
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
    // The pair (mu_i, raw_i). With no hidden layer and an addend, the addend is the output's own: not supported.
    const T* bias = s.network.bias(hidden_layers).template as<T>();
    const auto start = [&](int64_t first, int64_t last) {
      start_rows(bias, first, last, out.values, lanes, false);
    };
    out.complete(start);
    const T* mu = out.row(out.known++);
    out.complete(start);
    const T* raw = out.row(out.known++);
    T* value = x + i * lanes;
    for (int64_t k = 0; k < lanes; k += w) {
      const V a = log_scale<map>(load<V>(raw + k), bound, inverse_bound);
      store(value + k, affine_inverse<map>(load<V>(value + k), load<V>(mu + k), a));
      if constexpr (sizeof(T) == 8) {
        store(log_det + k, load<V>(log_det + k) + a);
      } else {
        using D = Vec<double>;
        D low, high;
        widen(a, low, high);
        store(log_det + k, load<D>(log_det + k) + low);
        store(log_det + k + D::width, load<D>(log_det + k + D::width) + high);
      }
    }
  }
  transpose_block(x, lanes, features, live, s.x.template as<T>() + row0 * s.x.ld, s.x.ld, features);
  for (int64_t i = 0; i < live; ++i) s.log_det[row0 + i] = log_det[i];
}

bool made_inverse(const Call& call) {
  const Operand& y = call.in[0];
  const Operand& addend = call.in[1];
  const Operand& direct = call.in[2];
  const Operand& x = call.out[0];
  const int64_t samples = y.rows, features = y.cols;
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  const bool residual = call.attr[4] != 0;
  MadeNetwork network;
  if (!check_like(call, x, "x", y, features) || !check_log_det(call, call.out[1], "logDet", samples) ||
      !read_network(call, 3, call.n_in - 3, features, y.dtype, residual, network))
    return false;
  if (!addend.absent()) {
    FLOW_CHECK(call, network.layers > 1, "addend: expected a network with hidden layers");
    if (!check_shape(call, addend, "addend", samples, network.units(0), y.dtype)) return false;
  }
  if (!direct.absent() && !check_shape(call, direct, "direct weight", 2 * features, features, y.dtype)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    return with_scale_map(call, 2, [&](auto tag, double bound) {
      const int64_t lanes = lanes_of<T>(samples);
      const Setup<T> setup{network, y, addend, direct, x, vector_view<double>(call.out[1]), act,
                           static_cast<T>(act_param), static_cast<T>(bound), residual, lanes};
      parallel(ceil_div(samples, lanes), [&](int64_t tile) {
        run_tile<decltype(tag)::value>(setup, tile * lanes, min_of(lanes, samples - tile * lanes));
      });
      return true;
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse) = {"made_inverse", made_inverse, 6, 3 + 3 * max_made_layers, 2, 5};

}  // namespace flow::FLOW_ISA
