// made_inverse: the inverse of x → (x − mu(x))·exp(−a(x)), where mu and a come from a MADE: dimension after dimension,
// every hidden unit computed once, as soon as the inputs that it sees are known. The cost is that of one forward pass.
// in: y [N, D] in the order of the degrees, addend of the first layer [N, H1] or absent, direct weight [2·D, D] or absent
// (output row r sees the inputs below r/2), then weight, bias or absent, extents of each layer (see core/made.h).
// out: x [N, D], logDet [N] float64 = log|det dx/dy| = Σ a.
// attributes: activation, its parameter, scale map, bound, residual (0 or 1).
//
// residual, with h the stream: h = layer 0(x); h += layer 2(act(layer 1(act(h)))); …; output(act(h)).
//
// Floor: 2·N·Σ extents operations, y and x once, the weights once a block of 32 samples from L2. One launch.
#include "cuda/core/made.h"

namespace flow::cuda {
namespace {

template <class T, bool in_shared>
__global__ void __launch_bounds__(block_threads, 2)
    invert_made(MadeNetwork<T> net, Matrix<const T> y, Matrix<const T> addend, Matrix<T> x_out, Vector<double> log_det, T* slabs) {
  FLOW_SHARED(memory);
  const MadeShared<T> shared(memory, net.layers);
  T* const values = in_shared ? shared.values : slabs + static_cast<int64_t>(blockIdx.x) * net.rows * made_pitch;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  const int hidden = net.layers - 1, features = net.features;
  T* const x = values;  // row i holds y_i until x_i takes its place
  for (int64_t tile = blockIdx.x; tile * made_lanes < net.samples; tile += gridDim.x) {
    const int64_t first = tile * made_lanes;
    const int live = net.samples - first < made_lanes ? static_cast<int>(net.samples - first) : made_lanes;
    __syncthreads();
    load_samples(y, first, live, features, x);
    for (int l = static_cast<int>(threadIdx.x); l < net.layers; l += block_threads) shared.done[l] = 0;
    __syncthreads();
    double sum_of_a = 0;  // of warp 0
    for (int i = 0; i < features; ++i) {
      int known = i;
      for (int l = 0; l < hidden; ++l) {
        const MadeLayer<T>& layer = net.layer[l];
        const int begin = shared.done[l];
        int end = begin;
        while (end < layer.units && layer.extents[end] <= known) ++end;
        const T* const from = l == 0 ? x : values + net.layer[l - 1].row * made_pitch;
        work_off(
            begin, end, shared.parts,
            [&](int unit, int part, int parts) {
              const int depth = layer.extent(unit);
              return made_dot(layer.weight + static_cast<int64_t>(unit) * layer.ld, 1, part_start(0, depth, part, parts),
                              part_start(0, depth, part + 1, parts), from + lane);
            },
            [&](int unit, T z) {
              if (layer.bias) z += layer.bias[unit];
              if (l == 0 && addend.p && lane < live) z += *addend.at(first + lane, unit);
              if (net.stream >= 0 && l % 2 == 0) {
                T& stream = values[(net.stream + unit) * made_pitch + lane];
                if (l > 0) z += stream;
                stream = z;
              }
              values[(layer.row + unit) * made_pitch + lane] = activate_any(net.act, z, net.act_param);
            });
        __syncthreads();
        if (threadIdx.x == 0) shared.done[l] = end;
        known = end;
      }
      // The pair (mu_i, raw_i).
      const MadeLayer<T>& output = net.layer[hidden];
      const T* const from = hidden == 0 ? x : values + net.layer[hidden - 1].row * made_pitch;
      work_off(
          2 * i, 2 * i + 2, shared.parts,
          [&](int unit, int part, int parts) {
            const int depth = output.extent(unit);
            T sum = made_dot(output.weight + static_cast<int64_t>(unit) * output.ld, 1, part_start(0, depth, part, parts),
                             part_start(0, depth, part + 1, parts), from + lane);
            if (net.direct)
              sum += made_dot(net.direct + static_cast<int64_t>(unit) * net.direct_ld, 1, part_start(0, i, part, parts),
                              part_start(0, i, part + 1, parts), x + lane);
            return sum;
          },
          [&](int unit, T z) { shared.pair[(unit - 2 * i) * made_pitch + lane] = output.bias ? z + output.bias[unit] : z; });
      if (warp == 0) {
        const T mu = shared.pair[lane], raw = shared.pair[made_pitch + lane];
        const T a = log_scale_any(net.map, raw, net.bound);
        T& value = x[i * made_pitch + lane];
        value = net.map == ScaleMap::gate ? affine_inverse<ScaleMap::gate>(value, mu, a) : affine_inverse(value, mu, a);
        sum_of_a += static_cast<double>(a);
      }
      __syncthreads();
    }
    store_samples(x_out, first, live, features, x);
    if (warp == 0 && lane < live) *log_det.at(first + lane) = sum_of_a;
  }
}

bool made_inverse(const Call& call) {
  const Operand &y = call.in[0], &addend = call.in[1], &direct = call.in[2], &x = call.out[0];
  const int64_t samples = y.rows, features = y.cols;
  FLOW_CHECK(call, call.attr[2] < monotone_map, "scale map %g: there is no kernel of it on a GPU yet: move the flow to the CPU to invert it", call.attr[2]);
  FLOW_CHECK(call, call.n_attr == 5 && call.n_out == 2, "scale map %g: got %d attributes, %d outputs", call.attr[2], call.n_attr, call.n_out);
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  const bool residual = call.attr[4] != 0;
  int layers = 0;
  if (!check_like(call, x, "x", y, features) || !check_log_det(call, call.out[1], "logDet", samples) ||
      !check_network(call, 3, call.n_in - 3, features, y.dtype, residual, layers))
    return false;
  if (!addend.absent()) {
    FLOW_CHECK(call, layers > 1, "addend: expected a network with hidden layers");
    if (!check_shape(call, addend, "addend", samples, call.in[3].rows, y.dtype)) return false;
  }
  if (!direct.absent() && !check_shape(call, direct, "direct weight", 2 * features, features, y.dtype)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    MadeNetwork<T> net;
    if (!read_network(call, 3, layers, static_cast<int>(features), direct, samples, features, residual, act, act_param, net)) return false;
    if (samples == 0) return true;
    const auto run = [&](auto kernel, unsigned grid, size_t bytes, T* slabs) {
      allow_shared(kernel);
      FLOW_LAUNCH(kernel, grid, block_threads, bytes, net, matrix<const T>(y), matrix<const T>(addend), matrix<T>(x),
                  vector<double>(call.out[1]), slabs);
    };
    return launch_made(call, net, [&](bool in_shared, unsigned grid, size_t bytes, T* slabs) {
      if (in_shared) run(invert_made<T, true>, grid, bytes, slabs);
      else run(invert_made<T, false>, grid, bytes, slabs);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse) = {"made_inverse", made_inverse, 6, 3 + 3 * max_made_layers, -1, -1};

}  // namespace flow::cuda
