// Activations whose slope is at most 1 and that can be differentiated twice, with their derivatives: what the blocks of
// residual flows are made of. Include after the functions of V (simd/math.h on a CPU).
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

// Mirrored by lib/ops/activationSlope.ts.
enum class SmoothKind : int { lip_swish, elu, tanh, softplus, count };

// f(z), f′(z), f″(z), and ∂f/∂β, ∂f′/∂β where f has a parameter (else 0).
template <class V>
struct SmoothParts {
  V value, slope, curvature, value_by_beta, slope_by_beta;
};

// lip_swish: z·σ(βz)/1.1 (Chen et al. 2019, section 3.3). With t = βz, s = σ(t), p = s(1 − s):
// f′ = (s + tp)/1.1, f″ = βp(2 + t(1 − 2s))/1.1, ∂f/∂β = z²p/1.1, ∂f′/∂β = zp(2 + t(1 − 2s))/1.1.
template <SmoothKind kind, class V>
FLOW_FORMULA SmoothParts<V> smooth_parts(V z, V beta) {
  if constexpr (kind == SmoothKind::lip_swish) {
    const V unit(1.0 / 1.1), t = beta * z, e = exp(-abs(t)), inverse = V(1) / (V(1) + e);
    const V s = select(t < V(0), e * inverse, inverse), p = e * inverse * inverse;
    const V zp = z * p * unit, bend = V(2) + t * (V(1) - (s + s));
    return {z * s * unit, (s + t * p) * unit, beta * p * unit * bend, z * zp, zp * bend};
  } else if constexpr (kind == SmoothKind::elu) {
    const V low = min(V(0), z), e = exp(low);
    return {select(z > V(0), z, expm1(low)), select(z > V(0), V(1), e), select(z > V(0), V(0), e), V(0), V(0)};
  } else if constexpr (kind == SmoothKind::tanh) {
    const V y = tanh(z), d = V(1) - y * y;
    return {y, d, V(-2) * y * d, V(0), V(0)};
  } else {
    const V s = sigmoid(z);
    return {softplus(z), s, s * (V(1) - s), V(0), V(0)};
  }
}

}  // namespace flow::FLOW_ISA
