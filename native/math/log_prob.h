// Log-densities of one variable and their derivatives.
// Include after the functions of V (simd/math.h on a CPU): the formulas here are made of them.
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

inline constexpr double half_log_two_pi = 0.91893853320467274178;

/** log N(z; 0, 1) without its constant −½ log 2π. */
template <class V>
FLOW_FORMULA V normal_log_prob(V z) {
  return V(-0.5) * (z * z);
}
template <class V>
FLOW_FORMULA V normal_log_prob_derivative(V z) {
  return -z;
}

/** Logistic with mean 0 and scale 1: −z − 2 log(1 + exp(−z)), written with |z| so that nothing overflows. */
template <class V>
FLOW_FORMULA V logistic_log_prob(V z) {
  const V a = abs(z);
  return -(a + V(2) * log1p(exp(-a)));
}
template <class V>
FLOW_FORMULA V logistic_log_prob_derivative(V z) {
  return -tanh(V(0.5) * z);
}

/** x·log sigmoid(l) + (1 − x)·log sigmoid(−l) = x·l − softplus(l), in the form whose terms never cancel:
    −softplus(−l) for x = 1, −softplus(l) for x = 0. */
template <class V>
FLOW_FORMULA V bernoulli_log_prob(V l, V x) {
  // softplus(l) = max(0, l) + log1p(exp(−|l|))
  const V large = l * x - max(V(0), l);
  return large - log1p(exp(-abs(l)));
}
/** By the logits; by x it is l. */
template <class V>
FLOW_FORMULA V bernoulli_log_prob_derivative(V l, V x) {
  return x - sigmoid(l);
}

}  // namespace flow::FLOW_ISA
