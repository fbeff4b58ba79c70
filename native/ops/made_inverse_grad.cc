// made_inverse_grad: backward of made_inverse. With x_j = y_j·exp(a_j) + mu_j, where mu_j and a_j see the dimensions
// before j, and lambda_j the whole gradient by x_j (docs/maths: a triangular system, solved from the last dimension on):
//   dL_dmu_j = lambda_j, dL_da_j = lambda_j·(x_j − mu_j) + dL_dlogDet, dL_dy_j = lambda_j·exp(a_j) (of the gate
//   dL_dmu_j = lambda_j − dL_dy_j),
//   lambda_i = dL_dx_i + what dL_dmu_j and dL_da_j, j > i, send back through the network.
// Each hidden unit's gradient is finished once, in descending order: the cost is that of one backward pass.
// For any other map x_j = g(y_j; p_j) the caller brings its derivatives at the root (scale map 16):
//   dL_dp_j = lambda_j·A_j + B_j, dL_dy_j = lambda_j·C_j, A = dx/dp, C = dx/dy, B what reaches p by the log-determinant:
//   then x is C [N, D], params A [N, P·D], dL_dx holds what reaches x by the log-determinant too, and dL_dlogDet is B [N, P·D].
// in: x [N, D], params [N, 2·D] of x, dL_dx or absent, dL_dlogDet [N] float64 or absent, direct weight [P·D, D] or absent;
// weight, nothing, extents of each layer (see made_network.h); the activated values [N, H] of each hidden layer for x.
// out: dL_dy [N, D], dL_dparams [N, P·D], then dL_dz [N, H] of each hidden layer (of the stream, for its layers in a
// residual network). attributes: activation, its parameter, scale map, bound, residual (0 or 1).
#include "ops/incremental.h"
#include "ops/made_network.h"
#include "simd/gemm_epilogue.h"

namespace flow::FLOW_ISA {
namespace {

// The scale map of the attributes that means: the caller brings the derivatives.
constexpr double linear_map = 16;

template <class T>
struct Setup {
  const Call& call;
  MadeNetwork network;
  Activation act;
  T act_param;
  int64_t each;  // parameters of a dimension
  bool residual;
  int64_t lanes;
  const Operand* hidden;  // activated values
  // Transposed weights [inputs][units] of each layer, and for each of its inputs, counted from the end, how many units,
  // counted from the end, see it.
  T* transposed[max_made_layers];
  int32_t* extent[max_made_layers];
  T* direct;
};

template <class T>
void transpose_weight(const Operand& weight, T* out) {
  constexpr int64_t strip = 64;
  parallel(ceil_div(weight.rows, strip), [&](int64_t task) {
    const int64_t first = task * strip, count = min_of(strip, weight.rows - first);
    transpose_block(weight.as<T>() + first * weight.ld, weight.ld, count, weight.cols, out + first, weight.rows, count);
  });
}

// extent (sorted) of `units` units turned round: result[i'] = number of units that see input inputs − 1 − i'.
inline void mirror_extents(const int32_t* extent, int64_t units, int64_t inputs, int32_t* result) {
  int64_t first = units;  // the units from `first` on see the input
  for (int64_t i = inputs - 1; i >= 0; --i) {
    while (first > 0 && extent[first - 1] > i) --first;
    result[inputs - 1 - i] = static_cast<int32_t>(units - first);
  }
}

template <class T>
void clear_rows(T* rows, int64_t count) {
  for (int64_t k = 0; k < count; k += Vec<T>::width) store(rows + k, Vec<T>(T(0)));
}

// The dimension whose whole gradient by x, lambda, has just become known.
template <ScaleMap map, class T>
struct AffineBack {
  T bound;
  static constexpr bool linear = false;

  void operator()(Vec<T> lambda, T* params, const T*, Vec<T> d_logdet, T* value, int64_t, int64_t lanes) const {
    using V = Vec<T>;
    const V limit(bound), inverse_limit(T(1) / bound);
    T* raw = params + lanes;
    const V r = load<V>(raw), m = load<V>(params);
    const V a = log_scale<map>(r, limit, inverse_limit);
    const V d_a = lambda * (load<V>(value) - m) + d_logdet;
    const V d_y = lambda * exp(a);
    store(params, affine_shift_grad<map>(lambda, d_y));
    store(raw, d_a * log_scale_slope<map>(r, a, inverse_limit));
    store(value, d_y);
  }
};

template <class T>
struct LinearBack {
  static constexpr bool linear = true;

  void operator()(Vec<T> lambda, T* a, const T* b, Vec<T>, T* c, int64_t each, int64_t lanes) const {
    using V = Vec<T>;
    for (int64_t p = 0; p < each; ++p, a += lanes, b += lanes) store(a, fma(lambda, load<V>(a), load<V>(b)));
    store(c, lambda * load<V>(c));
  }
};

template <class Step, class T>
void run_tile(const Setup<T>& s, const Step& back, int64_t row0, int64_t live) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const Call& call = s.call;
  const Operand& x_in = call.in[0];
  const Operand& params_in = call.in[1];
  const Operand& dL_dx = call.in[2];
  const Operand& dL_dlogdet = call.in[3];
  const int64_t lanes = s.lanes, features = x_in.cols, each = s.each;
  const int hidden_layers = s.network.layers - 1;
  int64_t rows = (1 + each * (Step::linear ? 2 : 1) + 1) * features + block_units, most = 0;
  for (int l = 0; l < hidden_layers; ++l) {
    rows += 2 * s.network.units(l);
    most = max_of(most, s.network.units(l));
  }
  T* next = static_cast<T*>(scratch(static_cast<size_t>((rows + most + 1) * lanes) * sizeof(T) + kVectorBytes, 6));
  const auto take = [&](int64_t count) {
    T* block = next;
    next += count * lanes;
    return block;
  };
  const auto fill = [&](const Operand& from, T* to) {
    transpose_block(from.as<T>() + row0 * from.ld, from.ld, live, from.cols, to, lanes, lanes);
  };
  T* x = take(features);           // x_i, and dL_dy_i in its place
  T* params = take(each * features);  // of each dimension (or A), and their gradients in their place
  T* added = Step::linear ? take(each * features) : nullptr;
  T* d_x = take(features);
  T* block = take(block_units);
  T* d_logdet = take(1);
  fill(x_in, x);
  fill(params_in, params);
  if (dL_dx.absent())
    clear_rows(d_x, features * lanes);
  else
    fill(dL_dx, d_x);
  if (Step::linear && dL_dlogdet.absent()) clear_rows(added, each * features * lanes);
  if (Step::linear && !dL_dlogdet.absent()) fill(dL_dlogdet, added);
  for (int64_t k = 0; k < lanes; ++k)
    d_logdet[k] =
        Step::linear || dL_dlogdet.absent() || k >= live ? T(0) : static_cast<T>(vector_view<double>(dL_dlogdet)[row0 + k]);

  // Stage s sends back through layer layers − 1 − s, to the units of the hidden layer before it; the last to x.
  using Layer = IncrementalLayer<T, -1>;
  Layer stages[max_made_layers];
  T* gates[max_made_layers];
  T* gradients[max_made_layers];
  const T* source = params;
  int64_t source_rows = each * features;
  for (int l = hidden_layers; l >= 0; --l) {
    const int64_t units = s.network.units(l), inputs = s.network.inputs(l);
    T* values = l == 0 ? block : take(inputs);
    Layer& stage = stages[hidden_layers - l];
    stage = Layer{s.transposed[l] + inputs * units - 1, -units,      s.extent[l],
                  inputs,                               source + (source_rows - 1) * lanes,
                  values + ((l == 0 ? block_units : inputs) - 1) * lanes, l > 0, lanes};
    if (l == 0) break;
    gradients[l - 1] = values;
    gates[l - 1] = take(inputs);
    fill(s.hidden[l - 1], gates[l - 1]);
    source = values;
    source_rows = inputs;
  }
  Layer& last = stages[hidden_layers];
  if (s.direct) {
    last.second = s.direct + each * features * features - 1;
    last.second_ld = -each * features;
    last.second_in = params + (each * features - 1) * lanes;
    last.second_factor = each;
  }
  T* stream = s.residual && hidden_layers > 0 ? take(s.network.units(0)) : nullptr;

  for (int64_t step = 0;; ++step) {
    int64_t known = each * step;
    for (int l = hidden_layers; l > 0; --l) {
      Layer& stage = stages[hidden_layers - l];
      // Rows [first, last) from the end stand upwards from row last − 1.
      stage.advance(
          known, [&](int64_t first, int64_t end) { clear_rows(stage.row(end - 1), (end - first) * lanes); },
          [&](int64_t first, int64_t end) {
            T* d = stage.row(end - 1);
            const int64_t count = (end - first) * lanes, offset = (stage.units - end) * lanes;
            if (s.act != Activation::none)
              finish_block<T>(1, count, d, count, nullptr, Activation::none, T(0), gates[l - 1] + offset, count, s.act,
                              s.act_param);
            if (!stream || (l - 1) % 2 != 0) return;
            for (int64_t k = 0; k < count; k += w) {
              const V sum = l == hidden_layers ? load<V>(d + k) : load<V>(d + k) + load<V>(stream + offset + k);
              store(d + k, sum);
              store(stream + offset + k, sum);
            }
          });
      known = stage.known;
    }
    if (step == features) break;
    last.complete([&](int64_t first, int64_t end) { clear_rows(last.row(end - 1), (end - first) * lanes); });
    const T* sent = last.row(last.known++);
    const int64_t i = features - 1 - step;
    for (int64_t k = 0; k < lanes; k += w)
      back(load<V>(d_x + i * lanes + k) + load<V>(sent + k), params + i * each * lanes + k,
           Step::linear ? added + i * each * lanes + k : nullptr, load<V>(d_logdet + k), x + i * lanes + k, each, lanes);
  }
  const auto give = [&](const T* from, const Operand& to) {
    transpose_block(from, lanes, to.cols, live, to.as<T>() + row0 * to.ld, to.ld, to.cols);
  };
  for (int l = 0; l < hidden_layers; ++l) give(gradients[l], call.out[2 + l]);
  give(x, call.out[0]);
  give(params, call.out[1]);
}

bool made_inverse_grad(const Call& call) {
  const Operand& x = call.in[0];
  const Operand& direct = call.in[4];
  const int64_t samples = x.rows, features = x.cols;
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  FLOW_CHECK(call, act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  const bool residual = call.attr[4] != 0;
  const int layers = (call.n_in - 4) / 4;
  FLOW_CHECK(call, layers >= 1 && call.n_in == 4 + 4 * layers && call.n_out == 1 + layers,
             "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  MadeNetwork network;
  const bool linear = call.attr[2] == linear_map;
  const int64_t each = linear && features > 0 ? call.in[1].cols / features : 2;
  FLOW_CHECK(call, each >= 1, "params: expected %lld columns a dimension", static_cast<long long>(each));
  if (!read_network(call, 5, 3 * layers, features, x.dtype, residual, network, each)) return false;
  const Operand* hidden = call.in + 5 + 3 * layers;
  if (!check_made_inverse_grad(call, layers, each, linear)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const auto run = [&](const auto& back) {
      const int64_t lanes = lanes_of<T>(samples);
      Setup<T> setup{call, network, act, static_cast<T>(act_param), each, residual, lanes, hidden, {}, {}, nullptr};
      int64_t weights = direct.count(), extents = 0;
      for (int l = 0; l < layers; ++l) {
        weights += network.weight(l).count();
        extents += network.inputs(l);
      }
      T* next = static_cast<T*>(scratch(static_cast<size_t>(weights) * sizeof(T) + kVectorBytes, 4));
      int32_t* next_extent = static_cast<int32_t*>(scratch(static_cast<size_t>(extents + 1) * sizeof(int32_t), 5));
      for (int l = 0; l < layers; ++l) {
        setup.transposed[l] = next;
        setup.extent[l] = next_extent;
        transpose_weight(network.weight(l), next);
        mirror_extents(network.extent(l), network.units(l), network.inputs(l), next_extent);
        next += network.weight(l).count();
        next_extent += network.inputs(l);
      }
      if (!direct.absent()) {
        setup.direct = next;
        transpose_weight(direct, next);
      }
      parallel(ceil_div(samples, lanes),
               [&](int64_t tile) { run_tile(setup, back, tile * lanes, min_of(lanes, samples - tile * lanes)); });
      return true;
    };
    if (linear) return run(LinearBack<T>{});
    return with_scale_map(call, 2, [&](auto tag, double bound) {
      return run(AffineBack<decltype(tag)::value, T>{static_cast<T>(bound)});
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse_grad) = {"made_inverse_grad", made_inverse_grad, 8, 4 + 4 * max_made_layers, -1, 5};

}  // namespace flow::FLOW_ISA
