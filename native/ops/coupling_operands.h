// What the affine couplings read of their operands and attributes, on either device. Comes after math/affine_coupling.h and max_of of the
// device.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

inline constexpr int coupling_attributes = 6;

struct Coupling {
  int64_t start, count, positions, width, parity;

  bool checkerboard() const { return width > 0; }
};

template <CouplingScale map>
struct CouplingTag {
  static constexpr CouplingScale value = map;
};

/** Reads and checks attributes and shapes; `gain` is the learned factor of tanh, or absent. */
inline bool read_coupling(const Call& call, const Operand& x, const Operand& params, const Operand& gain, Coupling& out) {
  FLOW_CHECK(call, whole_attr(call, 0, 0, coupling_scale_count - 1), "scale map: expected a code from 0 to %d, got %g",
             coupling_scale_count - 1, call.attr[0]);
  FLOW_CHECK(call, call.attr[1] > 0 && call.attr[1] < 1e300, "scale bound: expected a number above 0, got %g", call.attr[1]);
  const bool additive = call.attr[0] == 0;
  FLOW_CHECK(call, additive || params.cols % 2 == 0, "params: expected an even number of columns, got %lld", ll(params.cols));
  out.count = additive ? params.cols : params.cols / 2;
  FLOW_CHECK(call, out.count <= x.cols && whole_attr(call, 2, 0, x.cols - out.count),
             "columns: expected a range of %lld within 0 to %lld, got %g", ll(out.count), ll(x.cols), call.attr[2]);
  out.start = call.int_attr(2);
  FLOW_CHECK(call, whole_attr(call, 3, 1, max_of(1, x.rows)) && x.rows % call.int_attr(3) == 0,
             "positions: expected a divisor of the %lld rows, got %g", ll(x.rows), call.attr[3]);
  out.positions = call.int_attr(3);
  FLOW_CHECK(call, whole_attr(call, 4, 0, out.positions) && (call.attr[4] == 0 || out.positions % call.int_attr(4) == 0),
             "width: expected a divisor of the %lld positions, or 0, got %g", ll(out.positions), call.attr[4]);
  out.width = call.int_attr(4);
  FLOW_CHECK(call, whole_attr(call, 5, 0, 1), "parity: expected 0 or 1, got %g", call.attr[5]);
  out.parity = call.int_attr(5);
  FLOW_CHECK(call, !out.checkerboard() || out.count == x.cols, "params: a checkerboard transforms all %lld columns, got %lld",
             ll(x.cols), ll(out.count));
  if (!check_like(call, params, "params", x, params.cols)) return false;
  if (gain.absent()) return true;
  FLOW_CHECK(call, call.int_attr(0) == static_cast<int>(CouplingScale::tanh), "gain: only tanh takes one");
  FLOW_CHECK(call, gain.dtype == x.dtype, "gain: expected %s, got %s", name_of(x.dtype), name_of(gain.dtype));
  FLOW_CHECK(call, gain.rows == 1 && gain.cols == out.count, "gain: expected 1 × %lld, got %lld × %lld", ll(out.count),
             ll(gain.rows), ll(gain.cols));
  return true;
}

/**
 * in: x on the side of the data (the input of the forward map, the output of the inverse), params, gain or absent, gradient by
 * the map's output or absent, gradient by its log-determinant or absent; out, each present or absent: gradients by the map's
 * input, by params and by gain.
 */
inline bool read_coupling_grad(const Call& call, Coupling& coupling) {
  const Operand &x = call.in[0], &params = call.in[1], &gain = call.in[2], &d_out = call.in[3], &d_log_det = call.in[4];
  const Operand &d_in = call.out[0], &d_params = call.out[1], &d_gain = call.out[2];
  if (!read_coupling(call, x, params, gain, coupling)) return false;
  if (!d_out.absent() && !check_like(call, d_out, "dL_dout", x, x.cols)) return false;
  if (!d_log_det.absent() && !check_log_det(call, d_log_det, "dL_dlogDet", x.rows / coupling.positions)) return false;
  if (!d_in.absent() && !check_like(call, d_in, "dL_din", x, x.cols)) return false;
  if (!d_params.absent() && !check_like(call, d_params, "dL_dparams", x, params.cols)) return false;
  if (d_gain.absent()) return true;
  FLOW_CHECK(call, !gain.absent(), "dL_dgain: there is no gain");
  FLOW_CHECK(call, d_gain.dtype == x.dtype && d_gain.rows == 1 && d_gain.cols == coupling.count, "dL_dgain: expected 1 × %lld of %s",
             ll(coupling.count), name_of(x.dtype));
  return true;
}

/** Calls body(CouplingTag<map>{}) for the scale map of read_coupling. */
template <class F>
bool with_coupling_scale(const Call& call, const F& body) {
  switch (static_cast<CouplingScale>(call.int_attr(0))) {
    case CouplingScale::additive: return body(CouplingTag<CouplingScale::additive>{});
    case CouplingScale::exp: return body(CouplingTag<CouplingScale::exp>{});
    case CouplingScale::tanh: return body(CouplingTag<CouplingScale::tanh>{});
    case CouplingScale::sigmoid: return body(CouplingTag<CouplingScale::sigmoid>{});
    case CouplingScale::double_sigmoid: return body(CouplingTag<CouplingScale::double_sigmoid>{});
    default: return body(CouplingTag<CouplingScale::atan>{});
  }
}

}  // namespace flow::FLOW_ISA
