// The affine transformer of coupling flows: y = x·s + t forward (data → noise), x = (y − t)/s inverse, with a scale s > 0 that
// a scale map makes of the raw output of the conditioner.
//
// Sources: additive, Dinh et al., "NICE" (2015), eq. 9; exp and tanh, Dinh et al., "Density estimation using Real NVP" (2017),
// eq. 7 and 8; sigmoid, the code of Kingma and Dhariwal, "Glow" (2018); double_sigmoid, Kolesnikov et al., "Jet" (2024); atan,
// Ardizzone et al., "FrEIA" (2022).
//
// V is a register of lanes, float or double; the includer brings exp, logistic_parts, tanh, atan, abs and select for it (simd/math.h on
// a CPU). log s is computed in its own form, never as the logarithm of s.
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

enum class CouplingScale : int {
  additive = 0,        // s = 1; there is no raw
  exp = 1,             // log s = raw, unbounded
  tanh = 2,            // log s = gain·tanh(raw), within ±|gain|
  sigmoid = 3,         // s = σ(raw + 2), within (0, 1)
  double_sigmoid = 4,  // s = 2·σ(raw), within (0, 2)
  atan = 5,            // log s = bound·(2/π)·atan(raw/bound), within ±bound
};
inline constexpr int coupling_scale_count = 6;

// What all elements of a call have in common.
template <class V>
struct CouplingBound {
  V inverse;         // 1/bound
  V by_two_over_pi;  // bound·2/π
};

template <CouplingScale map>
inline constexpr bool is_sigmoid = map == CouplingScale::sigmoid || map == CouplingScale::double_sigmoid;

// What σ is taken of.
template <CouplingScale map, class V>
FLOW_FORMULA V sigmoid_argument(V raw) {
  return map == CouplingScale::sigmoid ? raw + V(2) : raw;
}

// s, or with `inverse` 1/s, from e = exp(−|u|) and r = 1/(1 + e): σ(u) is r, or e·r where u < 0.
template <CouplingScale map, bool inverse, class V>
FLOW_FORMULA V sigmoid_factor(V u, V e, V r) {
  constexpr double top = map == CouplingScale::double_sigmoid ? 2 : 1;
  if constexpr (inverse) return select(u < V(0), (V(1) + e) / e, V(1) + e) * V(1 / top);
  return select(u < V(0), e, V(1)) * r * V(top);
}

// log s, and the factor of the direction: s, or with `inverse` 1/s.
template <CouplingScale map, bool inverse, class V>
FLOW_FORMULA void coupling_scale(V raw, V gain, const CouplingBound<V>& bound, V& log_s, V& factor) {
  if constexpr (map == CouplingScale::additive) {
    log_s = V(0);
    factor = V(1);
  } else if constexpr (is_sigmoid<map>) {
    const V u = sigmoid_argument<map>(raw);
    const V e = exp(-abs(u));
    V r, log_of_sum;
    logistic_parts(e, r, log_of_sum);
    log_s = min(V(0), u) - log_of_sum;
    if constexpr (map == CouplingScale::double_sigmoid) log_s += V(0.69314718055994531);
    factor = sigmoid_factor<map, inverse>(u, e, r);
  } else {
    if constexpr (map == CouplingScale::exp) log_s = raw;
    if constexpr (map == CouplingScale::tanh) log_s = gain * tanh(raw);
    if constexpr (map == CouplingScale::atan) log_s = bound.by_two_over_pi * atan(raw * bound.inverse);
    factor = exp(inverse ? -log_s : log_s);
  }
}

// The factor of the direction, d log s/draw, and for tanh d log s/dgain.
template <CouplingScale map, bool inverse, class V>
FLOW_FORMULA void coupling_slope(V raw, V gain, const CouplingBound<V>& bound, V& factor, V& by_raw, V& by_gain) {
  by_gain = V(0);
  if constexpr (map == CouplingScale::additive) {
    factor = V(1);
    by_raw = V(0);
  } else if constexpr (is_sigmoid<map>) {
    const V u = sigmoid_argument<map>(raw);
    const V e = exp(-abs(u)), r = V(1) / (V(1) + e);
    factor = sigmoid_factor<map, inverse>(u, e, r);
    by_raw = select(u < V(0), V(1), e) * r;
  } else if constexpr (map == CouplingScale::exp) {
    factor = exp(inverse ? -raw : raw);
    by_raw = V(1);
  } else if constexpr (map == CouplingScale::tanh) {
    by_gain = tanh(raw);
    const V log_s = gain * by_gain;
    factor = exp(inverse ? -log_s : log_s);
    by_raw = gain * ((V(1) - by_gain) * (V(1) + by_gain));
  } else {
    const V r = raw * bound.inverse;
    const V log_s = bound.by_two_over_pi * atan(r);
    factor = exp(inverse ? -log_s : log_s);
    by_raw = V(0.63661977236758134) / (V(1) + r * r);
  }
}

// y = x·s + t, or with `inverse` x = (y − t)·(1/s).
template <bool inverse, class V>
FLOW_FORMULA V coupling_apply(V value, V shift, V factor) {
  if constexpr (inverse) return (value - shift) * factor;
  return fma(value, factor, shift);
}

// Backward of coupling_apply with its log-determinant ±log s, from x on the side of the data in both directions: the gradient
// by the map's input, by the shift and by log s.
template <bool inverse, class V>
FLOW_FORMULA void coupling_grad(V x, V factor, V dL_dout, V dL_dlogdet, V& dL_din, V& dL_dshift, V& dL_dlog_s) {
  dL_din = dL_dout * factor;
  if constexpr (inverse) {
    dL_dshift = -dL_din;
    dL_dlog_s = -fma(dL_dout, x, dL_dlogdet);
  } else {
    dL_dshift = dL_dout;
    dL_dlog_s = fma(dL_din, x, dL_dlogdet);
  }
}

}  // namespace flow::FLOW_ISA
