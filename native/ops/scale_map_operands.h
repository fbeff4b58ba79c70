// The scale map of autoregressive affine ops and their inverses through a MADE, on either device. Comes after
// math/autoregressive_affine.h.
#pragma once
#include "ops/operands.h"

namespace flow::FLOW_ISA {

template <ScaleMap map>
struct MapTag {
  static constexpr ScaleMap value = map;
};

// Attributes [at] and [at + 1]: scale map and bound. Calls body(MapTag<map>{}, bound).
template <class F>
bool with_scale_map(const Call& call, int at, const F& body) {
  const double code = call.attr[at], bound = call.attr[at + 1];
  if (code == 4) return body(MapTag<ScaleMap::gate>{}, bound);  // its bias, of any sign
  FLOW_CHECK(call, bound > 0, "scale bound: expected a number above 0, got %g", bound);
  if (code == 0) return body(MapTag<ScaleMap::none>{}, bound);
  if (code == 1) return body(MapTag<ScaleMap::tanh>{}, bound);
  if (code == 2) return body(MapTag<ScaleMap::soft_clamp>{}, bound);
  if (code == 3) return body(MapTag<ScaleMap::additive>{}, bound);
  return call.fail("scale map: expected a code from 0 to %d, got %g", scale_map_count - 1, code);
}

/**
 * in: params, y (the output of the forward map, the input of the inverse), gradient by the map's output or absent, gradient by its
 * log-determinant or absent; out: gradient by the map's input, gradient by params.
 */
inline bool check_autoregressive_affine_grad(const Call& call) {
  const Operand &y = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  return check_like(call, call.in[0], "params", y, 2 * y.cols) && check_like(call, call.out[0], "dL_din", y, y.cols) &&
         check_like(call, call.out[1], "dL_dparams", y, 2 * y.cols) && (d_out.absent() || check_like(call, d_out, "dL_dout", y, y.cols)) &&
         (d_log_det.absent() || check_log_det(call, d_log_det, "dL_dlogDet", y.rows));
}

}  // namespace flow::FLOW_ISA
