// The affine transformer of autoregressive flows (Papamakarios et al., "Masked Autoregressive Flow for Density
// Estimation", 2017, eq. 3 and 4): y = (x − mu)·exp(−a) forward, x = y·exp(a) + mu inverse, with a log-scale a that a
// scale map makes of the raw output of the conditioner. The gate map turns it about mu instead (Kingma et al., "Improved
// Variational Inference with Inverse Autoregressive Flow", 2016, eq. 14): y = s·x + (1 − s)·mu with s = exp(−a) =
// sigmoid(raw + bias), which is (x − mu)·exp(−a) + mu.
//
// V is a register of lanes, float or double; the includer brings exp, tanh, abs and select for it (simd/math.h on a
// CPU). No epsilon anywhere: the inverse of exp(−a) is exp(a).
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

// How a is made of raw; `bound` is the largest |a|, of the gate its bias.
enum class ScaleMap : int {
  none = 0,       // a = raw, unbounded
  tanh = 1,       // a = bound·tanh(raw/bound)
  soft_clamp = 2,  // a = raw/(1 + |raw|/bound)
  additive = 3,   // a = 0: y = x − mu, volume preserving (NICE); raw is ignored
  gate = 4,       // a = −log sigmoid(raw + bias) ≥ 0, and mu is added again
};
inline constexpr int scale_map_count = 5;

template <ScaleMap map, class V>
FLOW_FORMULA V log_scale(V raw, V bound, V inverse_bound) {
  if constexpr (map == ScaleMap::tanh) return bound * tanh(raw * inverse_bound);
  if constexpr (map == ScaleMap::soft_clamp) return raw / (V(1) + abs(raw) * inverse_bound);
  if constexpr (map == ScaleMap::additive) return V(0);
  if constexpr (map == ScaleMap::gate) return softplus(-(raw + bound));
  return raw;
}

// da/draw, where a = log_scale(raw) is known.
template <ScaleMap map, class V>
FLOW_FORMULA V log_scale_slope(V raw, V a, V inverse_bound) {
  if constexpr (map == ScaleMap::tanh) {
    const V t = a * inverse_bound;
    return (V(1) - t) * (V(1) + t);
  }
  if constexpr (map == ScaleMap::soft_clamp) {
    const V r = V(1) + abs(raw) * inverse_bound;
    return V(1) / (r * r);
  }
  if constexpr (map == ScaleMap::additive) return V(0);
  if constexpr (map == ScaleMap::gate) return expm1(-a);
  return V(1);
}

// y = (x − mu)·exp(−a), of the gate + mu; log|dy/dx| = −a.
template <ScaleMap map = ScaleMap::none, class V>
FLOW_FORMULA V affine_forward(V x, V mu, V a) {
  const V y = (x - mu) * exp(-a);
  if constexpr (map == ScaleMap::gate) return y + mu;
  return y;
}

// x = y·exp(a) + mu, of the gate (y − mu)·exp(a) + mu; log|dx/dy| = +a.
template <ScaleMap map = ScaleMap::none, class V>
FLOW_FORMULA V affine_inverse(V y, V mu, V a) {
  if constexpr (map == ScaleMap::gate) return (y - mu) * exp(a) + mu;
  return y * exp(a) + mu;
}

// Backward of affine_forward with its log-determinant −a, from y: dL_dx, dL_dmu, dL_da.
template <class V>
FLOW_FORMULA void affine_forward_grad(V y, V a, V dL_dy, V dL_dlogdet, V& dL_dx, V& dL_dmu, V& dL_da) {
  dL_dx = dL_dy * exp(-a);
  dL_dmu = -dL_dx;
  dL_da = -(dL_dy * y) - dL_dlogdet;
}

// Backward of affine_inverse with its log-determinant +a, from y: dL_dy, dL_dmu, dL_da.
template <class V>
FLOW_FORMULA void affine_inverse_grad(V y, V a, V dL_dx, V dL_dlogdet, V& dL_dy, V& dL_dmu, V& dL_da) {
  dL_dy = dL_dx * exp(a);
  dL_dmu = dL_dx;
  dL_da = dL_dy * y + dL_dlogdet;
}

// The same for any map: the gate's y stands mu away, and mu is in both terms.
template <ScaleMap map, class V>
FLOW_FORMULA void affine_forward_grad(V y, V mu, V a, V dL_dy, V dL_dlogdet, V& dL_dx, V& dL_dmu, V& dL_da) {
  constexpr bool gate = map == ScaleMap::gate;
  affine_forward_grad(gate ? y - mu : y, a, dL_dy, dL_dlogdet, dL_dx, dL_dmu, dL_da);
  if constexpr (gate) dL_dmu += dL_dy;
}
template <ScaleMap map, class V>
FLOW_FORMULA void affine_inverse_grad(V y, V mu, V a, V dL_dx, V dL_dlogdet, V& dL_dy, V& dL_dmu, V& dL_da) {
  constexpr bool gate = map == ScaleMap::gate;
  affine_inverse_grad(gate ? y - mu : y, a, dL_dx, dL_dlogdet, dL_dy, dL_dmu, dL_da);
  if constexpr (gate) dL_dmu -= dL_dy;
}

// dL_dmu where the whole gradient by x = affine_inverse(y, mu, a) is lambda and dL_dy = lambda·exp(a).
template <ScaleMap map, class V>
FLOW_FORMULA V affine_shift_grad(V lambda, V dL_dy) {
  if constexpr (map == ScaleMap::gate) return lambda - dL_dy;
  return lambda;
}

}  // namespace flow::FLOW_ISA
