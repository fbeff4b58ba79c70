// sylvester_grad: backward of sylvester, either direction, by its output and logDet together; see math/sylvester.h.
// in: v [N, M] (the input of the map, the output of its inverse), params [N, M² + 3·M] or one row, dL_dout [N, M] or absent,
// dL_dlogDet [N] float64 or absent; out: dL_din [N, M], dL_dparams [N, M² + 3·M], a row a sample. attributes: inverse (0 or 1).
#include "ops/sylvester.h"

namespace flow::FLOW_ISA {
namespace {

template <bool inverse, bool shared, class T>
void run_tile(const Call& call, int64_t first, int64_t live) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const Operand &in = call.in[0], &params = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  const SylvesterLayout at{in.cols};
  const int64_t rows = 5 * at.m + (shared ? 1 : 2) * at.count();
  T* memory = static_cast<T*>(scratch(static_cast<size_t>(rows * w) * sizeof(T) + kVectorBytes, 4));
  const auto part = [&](int64_t k) { return LaneRows<T>{memory + k * at.m * w}; };
  const LaneRows<T> v = part(0), t = part(1), given = part(2), q = part(3), dv = part(4), dp = part(5);
  const LaneRows<T> own{dp.p + at.count() * w};
  gather_lanes(in, first, live, v.p);
  if (d_out.absent())
    for (int64_t i = 0; i < at.m; ++i) given.set(i, V(T(0)));
  else
    gather_lanes(d_out, first, live, given.p);
  T dl[w] = {};
  if (!d_log_det.absent())
    for (int64_t i = 0; i < live; ++i) dl[i] = static_cast<T>(vector_view<double>(d_log_det)[first + i]);
  const auto map = [&](const auto& p) FLOW_INLINE_LAMBDA {
    // t only: what else the forward map gives goes where it is overwritten.
    sylvester_forward<V>(at, p, v, t, dv, [](V) {});
    sylvester_backward<inverse, V>(at, p, v, t, load<V>(dl), given, q, dv, dp);
  };
  if constexpr (shared) {
    map(SharedNumbers<T>{params.as<T>()});
  } else {
    gather_lanes(params, first, live, own.p);
    map(own);
  }
  scatter_lanes(dv.p, call.out[0], first, live);
  scatter_lanes(dp.p, call.out[1], first, live);
}

bool sylvester_grad(const Call& call) {
  if (!check_sylvester_grad(call)) return false;
  const Operand& in = call.in[0];
  return with_float(call, in, "v", [&](auto zero) {
    using T = decltype(zero);
    sylvester_tiles<T>(call, 3 * SylvesterLayout{in.cols}.count() + 60 * in.cols,
                       [&]<bool inverse, bool shared>(int64_t first, int64_t live) { run_tile<inverse, shared, T>(call, first, live); });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(sylvester_grad) = {"sylvester_grad", sylvester_grad, 4, 4, 2, 1};

}  // namespace flow::FLOW_ISA
