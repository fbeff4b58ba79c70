// The affine transformer of autoregressive flows (Papamakarios et al., "Masked Autoregressive Flow for Density
// Estimation", 2017, eq. 3 and 4): y = (x − mu)·exp(−a) forward, x = y·exp(a) + mu inverse, with a log-scale a that a
// scale map makes of the raw output of the conditioner.
//
// V is a register of lanes, float or double; the includer brings exp, tanh, abs and select for it (simd/math.h on a
// CPU). No epsilon anywhere: the inverse of exp(−a) is exp(a).
#pragma once

#ifndef FLOW_FORMULA
#define FLOW_FORMULA inline __attribute__((always_inline))
#endif

namespace flow::FLOW_ISA {

// How a is made of raw; `bound` is the largest |a|.
enum class ScaleMap : int {
  none = 0,       // a = raw, unbounded
  tanh = 1,       // a = bound·tanh(raw/bound)
  soft_clamp = 2,  // a = raw/(1 + |raw|/bound)
  additive = 3,   // a = 0: y = x − mu, volume preserving (NICE); raw is ignored
};
inline constexpr int scale_map_count = 4;

template <ScaleMap map, class V>
FLOW_FORMULA V log_scale(V raw, V bound, V inverse_bound) {
  if constexpr (map == ScaleMap::tanh) return bound * tanh(raw * inverse_bound);
  if constexpr (map == ScaleMap::soft_clamp) return raw / (V(1) + abs(raw) * inverse_bound);
  if constexpr (map == ScaleMap::additive) return V(0);
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
  return V(1);
}

// y = (x − mu)·exp(−a); log|dy/dx| = −a.
template <class V>
FLOW_FORMULA V affine_forward(V x, V mu, V a) {
  return (x - mu) * exp(-a);
}

// x = y·exp(a) + mu; log|dx/dy| = +a.
template <class V>
FLOW_FORMULA V affine_inverse(V y, V mu, V a) {
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

}  // namespace flow::FLOW_ISA
