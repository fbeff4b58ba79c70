// sylvester: the triangular residual map of a Sylvester flow and its inverse; see math/sylvester.h.
// in: v [N, M] (inverse: y), params [N, M² + 3·M] or one row for all; out: y (inverse: v), logDet [N] float64 of the direction;
// inverse only, each may be absent: iterations [N] int32, residual [N] float64 (relative), converged [N] int32. attributes: inverse (0 or 1).
#include "ops/sylvester.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int most_iterations = 200;

// The residual, in eps, up to which an equation counts as solved: its three terms and tanh are rounded.
template <class T>
constexpr T tolerance_of() {
  return sizeof(T) == 4 ? T(8 * 1.1920929e-07) : T(8 * 2.220446049250313e-16);
}

template <bool inverse, bool shared, class T>
void run_tile(const Call& call, int64_t first, int64_t live) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const Operand &in = call.in[0], &params = call.in[1];
  const SylvesterLayout at{in.cols};
  const int64_t rows = 3 * at.m + (shared ? 0 : at.count());
  T* memory = static_cast<T*>(scratch(static_cast<size_t>(rows * w) * sizeof(T) + kVectorBytes, 4));
  const LaneRows<T> from{memory}, t{memory + at.m * w}, to{memory + 2 * at.m * w}, own{memory + 3 * at.m * w};
  gather_lanes(in, first, live, from.p);
  if (!shared) gather_lanes(params, first, live, own.p);
  LaneSum<T> log_det;
  const auto sum = [&](V term) FLOW_INLINE_LAMBDA { log_det(term); };
  V iterations(0), residual(0);
  const auto map = [&](const auto& p) FLOW_INLINE_LAMBDA {
    if constexpr (inverse)
      sylvester_inverse<V>(at, p, from, t, to, sum, V(tolerance_of<T>()), most_iterations, iterations, residual);
    else
      sylvester_forward<V>(at, p, from, t, to, sum);
  };
  if constexpr (shared)
    map(SharedNumbers<T>{params.as<T>()});
  else
    map(own);
  scatter_lanes(to.p, call.out[0], first, live);
  const VectorView<double> sums = vector_view<double>(call.out[1]);
  for (int64_t i = 0; i < live; ++i) sums[first + i] = inverse ? 0.0 - log_det.sum[i] : log_det.sum[i];
  if constexpr (inverse) {
    T steps[w], left[w];
    store(steps, iterations);
    store(left, residual);
    for (int64_t i = 0; i < live; ++i) {
      // A NaN of v means a NaN somewhere before it: not solved, whatever the comparisons said.
      bool number = true;
      for (int64_t k = 0; k < at.m; ++k) number = number && to.p[k * w + i] == to.p[k * w + i];
      if (!call.out[2].absent()) vector_view<int32_t>(call.out[2])[first + i] = static_cast<int32_t>(steps[i]);
      if (!call.out[3].absent()) vector_view<double>(call.out[3])[first + i] = number ? left[i] : __builtin_nan("");
      if (!call.out[4].absent()) vector_view<int32_t>(call.out[4])[first + i] = number && left[i] <= tolerance_of<T>();
    }
  }
}

bool sylvester(const Call& call) {
  if (!check_sylvester(call)) return false;
  const Operand& in = call.in[0];
  return with_float(call, in, "v", [&](auto zero) {
    using T = decltype(zero);
    // Four tiles a task or more, as the work of a tile says: M² products, or the roots.
    sylvester_tiles<T>(call, SylvesterLayout{in.cols}.count() + (call.attr[0] != 0 ? 200 : 40) * in.cols,
                       [&]<bool inverse, bool shared>(int64_t first, int64_t live) { run_tile<inverse, shared, T>(call, first, live); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(sylvester) = {"sylvester", sylvester, 2, 2, -1, 1};

}  // namespace flow::FLOW_ISA
