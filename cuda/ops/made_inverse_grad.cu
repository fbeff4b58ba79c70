// made_inverse_grad: backward of made_inverse. With x_j = y_j·exp(a_j) + mu_j, where mu_j and a_j see the dimensions
// before j, and lambda_j the whole gradient by x_j (docs/maths: a triangular system, solved from the last dimension on):
//   dL_dmu_j = lambda_j, dL_da_j = lambda_j·(x_j − mu_j) + dL_dlogDet, dL_dy_j = lambda_j·exp(a_j),
//   lambda_i = dL_dx_i + what dL_dmu_j and dL_da_j, j > i, send back through the network.
// Each hidden unit's gradient is finished once, in descending order: the cost is that of one backward pass.
// For any other map x_j = g(y_j; p_j) the caller brings its derivatives at the root (scale map 16):
//   dL_dp_j = lambda_j·A_j + B_j, dL_dy_j = lambda_j·C_j, A = dx/dp, C = dx/dy, B what reaches p by the log-determinant:
//   then x is C [N, D], params A [N, P·D], dL_dx holds what reaches x by the log-determinant too, and dL_dlogDet is B [N, P·D].
// in: x [N, D], params [N, P·D] of x (P = 2), dL_dx or absent, dL_dlogDet [N] float64 or absent, direct weight [P·D, D] or absent;
// weight, nothing, extents of each layer (see core/made.h); the activated values [N, H] of each hidden layer for x.
// out: dL_dy [N, D], dL_dparams [N, P·D], then dL_dz [N, H] of each hidden layer (of the stream, for its layers in a
// residual network). attributes: activation, its parameter, scale map, bound, residual (0 or 1).
//
// Floor: 2·N·Σ extents operations, each operand once, the weights once a block of 32 samples from L2. One launch.
#include "cuda/core/made.h"

namespace flow::cuda {
namespace {

template <class T>
struct HiddenOperand {
  const T* values;
  T* gradient;
  int values_ld, gradient_ld;
};
template <class T>
struct GradOperands {
  Matrix<const T> x, params, dL_dx;
  Vector<const double> dL_dlogdet;
  Matrix<const T> added;  // B, where the caller brings the derivatives
  int each;               // P
  Matrix<T> dL_dy, dL_dparams;
  HiddenOperand<T> hidden[max_made_layers];
};
static_assert(sizeof(MadeNetwork<double>) + sizeof(GradOperands<double>) + sizeof(double*) <= 4096, "what every driver takes");

/** Rows of values: gradients of the parameters [P·D], then of each hidden layer, then the stream. */
template <class T, bool derivatives, bool in_shared>
__global__ void __launch_bounds__(block_threads, 2) invert_made_grad(MadeNetwork<T> net, GradOperands<T> op, T* slabs) {
  FLOW_SHARED(memory);
  const MadeShared<T> shared(memory, net.layers);
  T* const values = in_shared ? shared.values : slabs + static_cast<int64_t>(blockIdx.x) * net.rows * lane_pitch;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads;
  const int hidden = net.layers - 1, features = net.features, each = derivatives ? op.each : 2;
  T* const params = values;
  const auto gradients_of = [&](int l) { return l == hidden ? params : values + net.layer[l].row * lane_pitch; };
  // The first unit of layer l that sees input i: where it stops the search in `from`, extents being sorted.
  const auto first_to_see = [&](const MadeLayer<T>& layer, int i, int from) {
    while (from > 0 && layer.extents[from - 1] > i) --from;
    return from;
  };
  for (int64_t tile = blockIdx.x; tile * block_lanes < net.samples; tile += gridDim.x) {
    const int64_t first = tile * block_lanes;
    const int live = net.samples - first < block_lanes ? static_cast<int>(net.samples - first) : block_lanes;
    const int64_t sample = first + (lane < live ? lane : 0);
    __syncthreads();
    // done[l]: the units of layer l from there on have their gradients.
    for (int l = static_cast<int>(threadIdx.x); l < net.layers; l += block_threads) shared.done[l] = net.layer[l].units;
    __syncthreads();
    for (int i = features - 1; i >= -1; --i) {
      int known = each * (i + 1);  // output units from there on
      for (int l = hidden; l > 0; --l) {
        // Back through layer l to the units of layer l − 1: those for which every unit that sees them is known.
        const MadeLayer<T>& layer = net.layer[l];
        const int end = shared.done[l - 1];
        int begin = end;
        for (int seen = layer.units; begin > 0; --begin) {
          seen = first_to_see(layer, begin - 1, seen);
          if (seen < known) break;
        }
        const T* const from = gradients_of(l);
        T* const to = gradients_of(l - 1);
        const HiddenOperand<T>& own = op.hidden[l - 1];
        work_off(
            begin, end, shared.parts,
            [&](int unit, int part, int parts) {
              const int start = first_to_see(layer, unit, layer.units);
              return lane_dot(layer.weight + unit, layer.ld, part_start(start, layer.units, part, parts),
                              part_start(start, layer.units, part + 1, parts), from + lane);
            },
            [&](int unit, T d) {
              d = gated_any(net.act, d, own.values[sample * own.values_ld + unit], net.act_param);
              if (net.stream >= 0 && (l - 1) % 2 == 0) {
                T& stream = values[(net.stream + unit) * lane_pitch + lane];
                if (l < hidden) d += stream;
                stream = d;
              }
              to[unit * lane_pitch + lane] = d;
            });
        __syncthreads();
        if (threadIdx.x == 0) shared.done[l - 1] = begin;
        known = begin;
      }
      if (i < 0) break;
      const MadeLayer<T>& layer = net.layer[0];
      const T* const from = gradients_of(0);
      work_off(
          i, i + 1, shared.parts,
          [&](int, int part, int parts) {
            // Of the units that see x_i only those that are known: the others do not see it in a network that is one of these.
            int start = first_to_see(layer, i, layer.units);
            if (start < known) start = known;
            T sum = lane_dot(layer.weight + i, layer.ld, part_start(start, layer.units, part, parts),
                             part_start(start, layer.units, part + 1, parts), from + lane);
            if (net.direct)
              sum += lane_dot(net.direct + i, net.direct_ld, part_start(each * (i + 1), each * features, part, parts),
                              part_start(each * (i + 1), each * features, part + 1, parts), params + lane);
            return sum;
          },
          [&](int, T sent) {
            const T lambda = sent + (op.dL_dx.p ? *op.dL_dx.at(sample, i) : T(0));
            if constexpr (derivatives) {
              for (int p = each * i; p < each * (i + 1); ++p)
                params[p * lane_pitch + lane] = fma(lambda, *op.params.at(sample, p), op.added.p ? *op.added.at(sample, p) : T(0));
              if (lane < live) *op.dL_dy.at(sample, i) = lambda * *op.x.at(sample, i);
              return;
            }
            const T mu = *op.params.at(sample, 2 * i), raw = *op.params.at(sample, 2 * i + 1);
            const T a = log_scale_any(net.map, raw, net.bound);
            const T d_logdet = op.dL_dlogdet.p ? static_cast<T>(*op.dL_dlogdet.at(sample)) : T(0);
            const T d_a = lambda * (*op.x.at(sample, i) - mu) + d_logdet;
            const T d_y = lambda * exp(a);
            params[2 * i * lane_pitch + lane] = net.map == ScaleMap::gate ? lambda - d_y : lambda;
            params[(2 * i + 1) * lane_pitch + lane] = d_a * log_scale_slope_any(net.map, raw, a, net.bound);
            if (lane < live) *op.dL_dy.at(sample, i) = d_y;
          });
      __syncthreads();
    }
    store_samples(op.dL_dparams, first, live, each * features, params);
    for (int l = 0; l < hidden; ++l)
      store_samples(Matrix<T>{op.hidden[l].gradient, op.hidden[l].gradient_ld}, first, live, net.layer[l].units, gradients_of(l));
  }
}

bool made_inverse_grad(const Call& call) {
  const Operand &x = call.in[0], &direct = call.in[4];
  const int64_t samples = x.rows, features = x.cols;
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  FLOW_CHECK(call, act != Activation::gelu, "activation: the derivative of gelu is no function of its output");
  const bool residual = call.attr[4] != 0;
  const int operands = (call.n_in - 4) / 4;
  FLOW_CHECK(call, operands >= 1 && call.n_in == 4 + 4 * operands && call.n_out == 1 + operands,
             "operands: got %d inputs and %d outputs", call.n_in, call.n_out);
  const bool derivatives = call.attr[2] == monotone_map;
  FLOW_CHECK(call, call.attr[2] != spline_map, "scale map: expected a code from 0 to 4 or 16, got %g", call.attr[2]);
  const int64_t each = derivatives && features > 0 ? call.in[1].cols / features : 2;
  FLOW_CHECK(call, each >= 1 && each < (1 << 24), "params: expected columns of each dimension");
  int layers = 0;
  if (!check_network(call, 5, 3 * operands, features, x.dtype, residual, layers, each)) return false;
  const Operand* hidden = call.in + 5 + 3 * layers;
  if (!check_made_inverse_grad(call, layers, each, derivatives)) return false;
  for (int l = 0; l + 1 < layers; ++l)
    FLOW_CHECK(call, hidden[l].ld < (1 << 30) && call.out[2 + l].ld < (1 << 30), "layer %d: it is too large", l);
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    MadeNetwork<T> net;
    if (!read_network(call, 5, layers, static_cast<int>(each * features), direct, samples, features, residual, act, act_param, net))
      return false;
    GradOperands<T> op{};
    op.x = matrix<const T>(x);
    op.params = matrix<const T>(call.in[1]);
    op.dL_dx = matrix<const T>(call.in[2]);
    if (derivatives) op.added = matrix<const T>(call.in[3]);
    else op.dL_dlogdet = vector<const double>(call.in[3]);
    op.each = static_cast<int>(each);
    op.dL_dy = matrix<T>(call.out[0]);
    op.dL_dparams = matrix<T>(call.out[1]);
    for (int l = 0; l + 1 < layers; ++l)
      op.hidden[l] = {hidden[l].as<const T>(), call.out[2 + l].as<T>(), static_cast<int>(hidden[l].ld),
                      static_cast<int>(call.out[2 + l].ld)};
    if (samples == 0) return true;
    const auto run = [&](auto kernel, unsigned grid, size_t bytes, T* slabs) {
      allow_shared(kernel);
      FLOW_LAUNCH(kernel, grid, block_threads, bytes, net, op, slabs);
    };
    return launch_made(call, net, [&](bool in_shared, unsigned grid, size_t bytes, T* slabs) {
      if (derivatives && in_shared) run(invert_made_grad<T, true, true>, grid, bytes, slabs);
      else if (derivatives) run(invert_made_grad<T, true, false>, grid, bytes, slabs);
      else if (in_shared) run(invert_made_grad<T, false, true>, grid, bytes, slabs);
      else run(invert_made_grad<T, false, false>, grid, bytes, slabs);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse_grad) = {"made_inverse_grad", made_inverse_grad, 8, 4 + 4 * max_made_layers, -1, 5};

}  // namespace flow::cuda
