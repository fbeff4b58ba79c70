// Batch normalisation as a bijection (Papamakarios, Pavlakou and Murray, "Masked Autoregressive Flow for Density
// Estimation", 2017, section 3.3 and appendix): for each column, with mean m and variance v of the batch,
//
//   y = (x − m)/√(v + ε)·exp(γ) + β        log|det ∂y/∂x| = Σ_c (γ_c − ½ log(v_c + ε))
//
// where m and v count as constants for the determinant. Their gradients do not: with s = 1/√(v + ε), h = (x − m)·s,
// S₁ = Σ_n dL_dy, S₂ = Σ_n dL_dy·h and D = dL_dlogDet,
//
//   dL_dβ = S₁      dL_dγ = exp(γ)·S₂ + D
//   dL_dx = s·exp(γ)·(dL_dy − S₁/N − h·S₂/N) − s·h·D/N
//
// The last term is D·(−½/(v + ε))·∂v/∂x with ∂v/∂x = 2(x − m)/N. With fixed m and v only s·exp(γ)·dL_dy is left.
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

/** What the columns of a row need: y = h·gain + shift with h = (x − mean)·inverse. */
template <class V>
FLOW_FORMULA V batch_norm_value(V x, V mean, V inverse, V gain, V shift) {
  return fma((x - mean) * inverse, gain, shift);
}

/** dL_dx = dL_dy·a − b − h·c, with a = s·exp(γ), b = a·S₁/N, c = a·S₂/N + s·D/N. */
template <class V>
FLOW_FORMULA V batch_norm_gradient(V x, V dL_dy, V mean, V inverse, V a, V b, V c) {
  return dL_dy * a - b - ((x - mean) * inverse) * c;
}

}  // namespace flow::FLOW_ISA
