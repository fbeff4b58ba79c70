// The functions of one number that the formulas of native/math are written in, with the meaning that native/simd gives them.
#pragma once
#include <cuda_runtime.h>
#include <math.h>
#include <stdint.h>

#include "math/formula.h"

namespace flow::cuda {

template <class V>
using lane_t = V;

// Like the CPU's instructions: the second argument where either is NaN.
FLOW_FORMULA float max(float a, float b) { return a > b ? a : b; }
FLOW_FORMULA double max(double a, double b) { return a > b ? a : b; }
FLOW_FORMULA float min(float a, float b) { return a < b ? a : b; }
FLOW_FORMULA double min(double a, double b) { return a < b ? a : b; }

template <class V>
FLOW_FORMULA V select(bool mask, V a, V b) {
  return mask ? a : b;
}

FLOW_FORMULA bool any(bool mask) { return mask; }

#define FLOW_FUNCTION(name, of_float, of_double)                    \
  FLOW_FORMULA float name(float x) { return ::of_float(x); }        \
  FLOW_FORMULA double name(double x) { return ::of_double(x); }
FLOW_FUNCTION(abs, fabsf, fabs)
FLOW_FUNCTION(sqrt, sqrtf, sqrt)
FLOW_FUNCTION(exp, expf, exp)
FLOW_FUNCTION(expm1, expm1f, expm1)
FLOW_FUNCTION(log, logf, log)
FLOW_FUNCTION(log1p, log1pf, log1p)
FLOW_FUNCTION(tanh, tanhf, tanh)
FLOW_FUNCTION(atan, atanf, atan)
FLOW_FUNCTION(erf, erff, erf)
FLOW_FUNCTION(floor, floorf, floor)
FLOW_FUNCTION(round, rintf, rint)
FLOW_FUNCTION(asinh, asinhf, asinh)
FLOW_FUNCTION(normal_cdf, normcdff, normcdf)
FLOW_FUNCTION(normal_quantile, normcdfinvf, normcdfinv)
#undef FLOW_FUNCTION
/** sin(2πu) and cos(2πu). sin and cos are made of them in math/trigonometry.h: CUDA's own need a stack for large angles. */
FLOW_FORMULA void sincos_2pi(float u, float& sine, float& cosine) { ::sincospif(2 * u, &sine, &cosine); }
FLOW_FORMULA void sincos_2pi(double u, double& sine, double& cosine) { ::sincospi(2 * u, &sine, &cosine); }
FLOW_FORMULA float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
FLOW_FORMULA double fma(double a, double b, double c) { return ::fma(a, b, c); }

/** log(1 + exp(x)) without overflow. */
template <class V>
FLOW_FORMULA V softplus(V x) {
  return max(V(0), x) + log1p(exp(-abs(x)));
}
template <class V>
FLOW_FORMULA V log_sigmoid(V x) {
  return -softplus(-x);
}
/** 1/(1 + e) and log(1 + e) for 0 ≤ e ≤ 1: what sigmoid and softplus are made of, e = exp(−|u|). */
template <class V>
FLOW_FORMULA void logistic_parts(V e, V& inverse, V& log_of_sum) {
  inverse = V(1) / (V(1) + e);
  log_of_sum = log1p(e);
}
template <class V>
FLOW_FORMULA V sigmoid(V x) {
  const V e = exp(-abs(x));
  return select(x >= V(0), V(1), e) / (V(1) + e);
}

}  // namespace flow::cuda
