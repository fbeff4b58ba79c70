// made_inverse: the inverse of an autoregressive map x_i → f(x_i; p_i) whose P parameters p_i of each dimension a MADE makes of the
// dimensions before it: dimension after dimension, every hidden unit computed once, as soon as the inputs that it sees are known. The cost
// is that of one forward pass, and of the roots. f is affine, (x − mu)·exp(−a) with P = 2, an increasing function of core/monotone.h
// or a spline of math/spline.h.
// in: y [N, D] in the order of the degrees, addend of the first layer [N, H1] or absent, direct weight [P·D, D] or absent
// (output row r sees the inputs below r/P), then weight, bias or absent, extents of each layer (see core/made.h).
// out: x [N, D], logDet [N] float64 = log|det dx/dy|; where roots are found also iterations [N] int32, residual [N] float64 and converged
// [N] int32, as monotone_inverse has them.
// attributes: activation, its parameter, scale map, bound, residual (0 or 1); with scale map 16 the five of core/monotone.h too,
// with 17 the first eight of cuda/ops/spline.h.
//
// residual, with h the stream: h = layer 0(x); h += layer 2(act(layer 1(act(h)))); …; output(act(h)).
//
// Floor: 2·N·Σ extents operations, y and x once, the weights once a block of 32 samples from L2. One launch. Of a dimension a warp finds the
// roots of its 32 samples side by side, in rows of values that stand with those of the network.
#include "cuda/core/made.h"
#include "cuda/core/monotone.h"
#include "cuda/ops/spline.h"

namespace flow::cuda {
namespace {

/** What the roots of a sample needed, in the registers of the lane that finds them. */
struct Tally {
  int iterations = 0;
  double residual = 0;
  bool converged = true;
};
/** Rows of numbers with the samples of a block side by side: P parameters, then what a step works with. */
template <class T>
struct StepRows {
  T* params;
  T* work;
};

/** A step: P params(), rows of work(), and x of y and the parameters; log_det += log dx/dy. */
template <class T>
struct AffineStep {
  static constexpr int blocks = 2;  // of a multiprocessor
  static constexpr bool reports = false;
  ScaleMap map;
  T bound;
  __host__ __device__ int64_t params() const { return 2; }
  __host__ __device__ int64_t work() const { return 0; }
  __device__ __forceinline__ T operator()(const StepRows<T>& rows, T y, double& log_det, Tally&) const {
    const T mu = rows.params[0], raw = rows.params[lane_pitch];
    const T a = log_scale_any(map, raw, bound);
    log_det += static_cast<double>(a);
    return map == ScaleMap::gate ? affine_inverse<ScaleMap::gate>(y, mu, a) : affine_inverse(y, mu, a);
  }
};

template <class Family, class T>
struct MonotoneStep {
  static constexpr int blocks = 1;
  static constexpr bool reports = true;
  Family family;
  __host__ __device__ int64_t params() const { return family.params(); }
  __host__ __device__ int64_t work() const { return family.work(); }
  __device__ __forceinline__ T operator()(const StepRows<T>& rows, T y, double& log_det, Tally& tally) const {
    const Rows<T> raw{rows.params, lane_pitch}, work{rows.work, lane_pitch};
    family.prepare(raw, work);
    T low, high, start;
    family.bracket(raw, work, y, low, high, start);
    const Root<T> root = solve_increasing<T>(y, low, high, start, [&](T at) { return family.value(raw, work, at); });
    log_det -= static_cast<double>(root.log_slope);
    const int iterations = static_cast<int>(root.iterations);
    tally.iterations = iterations > tally.iterations ? iterations : tally.iterations;
    tally.residual = MaxNan{}(tally.residual, static_cast<double>(root.residual));
    tally.converged = tally.converged && root.residual <= solved_to<T>;
    return root.x;
  }
};

template <SplineKind kind, class T>
struct SplineStep {
  static constexpr int blocks = 1;
  static constexpr bool reports = false;
  SplineShape shape;
  __host__ __device__ int64_t params() const { return shape.count(kind); }
  __host__ __device__ int64_t work() const { return spline_arrays * (shape.bins + 1); }
  __device__ __forceinline__ T operator()(const StepRows<T>& rows, T y, double& log_det, Tally&) const {
    const auto part = [&](int64_t k) { return ThreadRows<T>{rows.work + k * (shape.bins + 1) * lane_pitch, lane_pitch}; };
    const SplineRows<ThreadRows<T>> knots{part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7), part(8), part(9)};
    spline_knots<kind, T>(shape, ThreadRows<T>{rows.params, lane_pitch}, knots);
    T x, log_slope;
    spline_element<kind, true, T>(shape, knots, y, x, log_slope);
    log_det += static_cast<double>(log_slope);
    return x;
  }
};

struct Report {
  Vector<double> log_det;
  Vector<int32_t> iterations;
  Vector<double> residual;
  Vector<int32_t> converged;
};

/** Rows of values: x, the parameters of a dimension, what its step works with, then the hidden layers and the stream. */
template <class T, class Step, bool in_shared>
__global__ void __launch_bounds__(block_threads, Step::blocks)
    invert_made(MadeNetwork<T> net, Step step, Matrix<const T> y, Matrix<const T> addend, Matrix<T> x_out, Report report, T* slabs) {
  FLOW_SHARED(memory);
  const MadeShared<T> shared(memory, net.layers);
  T* const values = in_shared ? shared.values : slabs + static_cast<int64_t>(blockIdx.x) * net.rows * lane_pitch;
  const int lane = static_cast<int>(threadIdx.x) % warp_threads, warp = static_cast<int>(threadIdx.x) / warp_threads;
  const int hidden = net.layers - 1, features = net.features, each = static_cast<int>(step.params());
  T* const x = values;  // row i holds y_i until x_i takes its place
  T* const params = x + features * lane_pitch;
  for (int64_t tile = blockIdx.x; tile * block_lanes < net.samples; tile += gridDim.x) {
    const int64_t first = tile * block_lanes;
    const int live = net.samples - first < block_lanes ? static_cast<int>(net.samples - first) : block_lanes;
    __syncthreads();
    load_samples(y, first, live, features, x);
    for (int l = static_cast<int>(threadIdx.x); l < net.layers; l += block_threads) shared.done[l] = 0;
    __syncthreads();
    double log_det = 0;  // of warp 0, as the tally
    Tally tally;
    for (int i = 0; i < features; ++i) {
      int known = i;
      for (int l = 0; l < hidden; ++l) {
        const MadeLayer<T>& layer = net.layer[l];
        const int begin = shared.done[l];
        int end = begin;
        while (end < layer.units && layer.extents[end] <= known) ++end;
        const T* const from = l == 0 ? x : values + net.layer[l - 1].row * lane_pitch;
        work_off(
            begin, end, shared.parts,
            [&](int unit, int part, int parts) {
              const int depth = layer.extent(unit);
              return lane_dot(layer.weight + static_cast<int64_t>(unit) * layer.ld, 1, part_start(0, depth, part, parts),
                              part_start(0, depth, part + 1, parts), from + lane);
            },
            [&](int unit, T z) {
              if (layer.bias) z += layer.bias[unit];
              if (l == 0 && addend.p && lane < live) z += *addend.at(first + lane, unit);
              if (net.stream >= 0 && l % 2 == 0) {
                T& stream = values[(net.stream + unit) * lane_pitch + lane];
                if (l > 0) z += stream;
                stream = z;
              }
              values[(layer.row + unit) * lane_pitch + lane] = activate_any(net.act, z, net.act_param);
            });
        __syncthreads();
        if (threadIdx.x == 0) shared.done[l] = end;
        known = end;
      }
      // The parameters of dimension i.
      const MadeLayer<T>& output = net.layer[hidden];
      const T* const from = hidden == 0 ? x : values + net.layer[hidden - 1].row * lane_pitch;
      work_off(
          each * i, each * (i + 1), shared.parts,
          [&](int unit, int part, int parts) {
            const int depth = output.extent(unit);
            T sum = lane_dot(output.weight + static_cast<int64_t>(unit) * output.ld, 1, part_start(0, depth, part, parts),
                             part_start(0, depth, part + 1, parts), from + lane);
            if (net.direct)
              sum += lane_dot(net.direct + static_cast<int64_t>(unit) * net.direct_ld, 1, part_start(0, i, part, parts),
                              part_start(0, i, part + 1, parts), x + lane);
            return sum;
          },
          [&](int unit, T z) { params[(unit - each * i) * lane_pitch + lane] = output.bias ? z + output.bias[unit] : z; });
      __syncthreads();
      if (warp == 0) {
        T& value = x[i * lane_pitch + lane];
        value = step(StepRows<T>{params + lane, params + each * lane_pitch + lane}, value, log_det, tally);
      }
      __syncthreads();
    }
    store_samples(x_out, first, live, features, x);
    if (warp != 0 || lane >= live) continue;
    *report.log_det.at(first + lane) = log_det;
    if constexpr (Step::reports) {
      *report.iterations.at(first + lane) = tally.iterations;
      *report.residual.at(first + lane) = tally.residual;
      *report.converged.at(first + lane) = tally.converged ? 1 : 0;
    }
  }
}

template <class Step, class T>
bool run(const Call& call, Activation act, double act_param, const Step& step, T) {
  const Operand &y = call.in[0], &addend = call.in[1], &direct = call.in[2], &x = call.out[0];
  const int64_t samples = y.rows, features = y.cols, each = step.params();
  const bool residual = call.attr[4] != 0;
  int layers = 0;
  if (!check_like(call, x, "x", y, features) || !check_log_det(call, call.out[1], "logDet", samples) ||
      !check_network(call, 3, call.n_in - 3, features, y.dtype, residual, layers, each))
    return false;
  if (!addend.absent()) {
    FLOW_CHECK(call, layers > 1, "addend: expected a network with hidden layers");
    if (!check_shape(call, addend, "addend", samples, call.in[3].rows, y.dtype)) return false;
  }
  if (!direct.absent() && !check_shape(call, direct, "direct weight", each * features, features, y.dtype)) return false;
  MadeNetwork<T> net;
  const int row = static_cast<int>(features + each + step.work());
  if (!read_network(call, 3, layers, row, direct, samples, features, residual, act, act_param, net)) return false;
  if (samples == 0) return true;
  Report report{vector<double>(call.out[1]), {}, {}, {}};
  if constexpr (Step::reports)
    report = {report.log_det, vector<int32_t>(call.out[2]), vector<double>(call.out[3]), vector<int32_t>(call.out[4])};
  const auto launch = [&](auto kernel, unsigned grid, size_t bytes, T* slabs) {
    allow_shared(kernel);
    FLOW_LAUNCH(kernel, grid, block_threads, bytes, net, step, matrix<const T>(y), matrix<const T>(addend), matrix<T>(x), report, slabs);
  };
  return launch_made(call, net, [&](bool in_shared, unsigned grid, size_t bytes, T* slabs) {
    if (in_shared) launch(invert_made<T, Step, true>, grid, bytes, slabs);
    else launch(invert_made<T, Step, false>, grid, bytes, slabs);
  });
}

bool made_inverse(const Call& call) {
  const Operand& y = call.in[0];
  FLOW_CHECK(call, call.n_attr >= 5, "attributes: expected 5 or more, got %d", call.n_attr);
  constexpr int spline_attributes = 8;
  const bool roots = call.attr[2] == monotone_map, splines = call.attr[2] == spline_map;
  FLOW_CHECK(call, call.n_attr == 5 + (roots ? monotone_attributes : splines ? spline_attributes : 0) && call.n_out == (roots ? 5 : 2),
             "scale map %g: got %d attributes, %d outputs", call.attr[2], call.n_attr, call.n_out);
  Activation act = Activation::none;
  double act_param = 0;
  if (!read_activation(call, 0, act, act_param)) return false;
  if (roots && !check_report(call, 2, y.rows)) return false;
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    if (splines)
      return with_spline(call, 5, [&](auto tag, const SplineShape& shape) {
        return run(call, act, act_param, SplineStep<decltype(tag)::value, T>{shape}, zero);
      });
    if (roots)
      return with_monotone<T>(call, 5, [&](const auto& family) {
        return run(call, act, act_param, MonotoneStep<std::remove_cvref_t<decltype(family)>, T>{family}, zero);
      });
    return run(call, act, act_param, AffineStep<T>{static_cast<ScaleMap>(static_cast<int>(call.attr[2])), static_cast<T>(call.attr[3])}, zero);
  });
}

}  // namespace

FLOW_DEFINE_OP(made_inverse) = {"made_inverse", made_inverse, 6, 3 + 3 * max_made_layers, -1, -1};

}  // namespace flow::cuda
