// The triangular residual map in the middle of a Sylvester flow (van den Berg, Hasenclever, Tomczak, Welling, "Sylvester
// Normalizing Flows for Variational Inference", 2018, eq. 8), for a column v of M numbers:
//
//   y = v + R·tanh(a), a = S·v + b, R and S upper triangular with diagonals r and s; log|det ∂y/∂v| = Σ log(1 + r_i s_i·(1 − tanh² a_i)).
//
// Both triangles stand in one matrix F, as in the paper's code: R_ij = F_ij and S_ij = F_ji for i < j; the diagonal of F is
// not read. Invertible where r_i s_i > −1: from the last row on, each row is one equation a + m·tanh(a) = c of one unknown.
// With M = 1 it is the equation of a planar flow.
//
// V is a register of lanes, float or double, one lane a sample. An array of numbers a sample is a Rows: get(i), set(i, V).
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

// Where the parameters stand: F [M·M], r [M], s [M], b [M].
struct SylvesterLayout {
  int64_t m;
  FLOW_FORMULA int64_t f(int64_t i, int64_t j) const { return i * m + j; }
  FLOW_FORMULA int64_t r(int64_t i) const { return m * m + i; }
  FLOW_FORMULA int64_t s(int64_t i) const { return m * m + m + i; }
  FLOW_FORMULA int64_t b(int64_t i) const { return m * m + 2 * m + i; }
  FLOW_FORMULA int64_t count() const { return m * m + 3 * m; }
};

// t = tanh a for the rows of v; `out`, where it is not v, gets y. sum_log_det(V) takes the terms of the log-determinant.
template <class V, class P, class X, class Rows, class Sum>
FLOW_FORMULA void sylvester_forward(SylvesterLayout at, const P& p, const X& v, const Rows& t, const Rows& y, const Sum& log_det) {
  for (int64_t i = 0; i < at.m; ++i) {
    V a = p.get(at.b(i)) + p.get(at.s(i)) * v.get(i);
    for (int64_t j = i + 1; j < at.m; ++j) a = a + p.get(at.f(j, i)) * v.get(j);
    const V th = tanh(a);
    t.set(i, th);
    log_det(log1p((V(1) - th) * (V(1) + th) * (p.get(at.r(i)) * p.get(at.s(i)))));
  }
  for (int64_t i = 0; i < at.m; ++i) {
    V sum = v.get(i) + p.get(at.r(i)) * t.get(i);
    for (int64_t j = i + 1; j < at.m; ++j) sum = sum + p.get(at.f(i, j)) * t.get(j);
    y.set(i, sum);
  }
}

// a with a + m·tanh(a) = c, for m > −1: Newton's steps inside of a bracket that shrinks with each, halved where Newton
// leaves it or is slow. `residual` is |a + m·tanh(a) − c| relative to |a| + |m| + |c|.
template <class V>
struct TanhRoot {
  V a, t, iterations, residual;
};
template <class V>
FLOW_FORMULA TanhRoot<V> tanh_root(V m, V c, V tolerance, int most) {
  V low = c - abs(m), high = c + abs(m);
  // Where tanh is steep the root is near c/(1 + m); where it is flat it is near c ∓ m.
  V a = min(high, max(low, select(m > V(0), c - m * tanh(c / (V(1) + m)), c)));
  V before = high - low, iterations(0), t(0), residual(0);
  for (int k = 0;; ++k) {
    t = tanh(a);
    const V f = (a - c) + m * t;
    residual = abs(f) / (abs(a) + abs(m) + abs(c) + V(1e-30f));
    // One unit of rounding of a moves f by less than the rounding of its terms: no nearer root can be told.
    auto open = residual > tolerance;
    if (k == most || !any(open)) break;
    low = select(f < V(0), a, low);
    high = select(f > V(0), a, high);
    const V step = f / (V(1) + m * ((V(1) - t) * (V(1) + t)));
    const V newton = a - step;
    const auto good = (newton > low) & (newton < high) & (abs(step) + abs(step) < before);
    const V next = select(good, newton, V(0.5) * low + V(0.5) * high);
    before = select(open, abs(next - a), before);
    a = select(open, next, a);
    iterations = iterations + select(open, V(1), V(0));
  }
  return {a, t, iterations, residual};
}

// v of y, from the last row to the first, with t = tanh a.
template <class V, class P, class X, class Rows, class Sum>
FLOW_FORMULA void sylvester_inverse(SylvesterLayout at, const P& p, const X& y, const Rows& t, const Rows& v, const Sum& log_det,
                                    V tolerance, int most, V& iterations, V& residual) {
  iterations = V(0);
  residual = V(0);
  for (int64_t i = at.m - 1; i >= 0; --i) {
    V shift = p.get(at.b(i)), rest = y.get(i);
    for (int64_t j = i + 1; j < at.m; ++j) {
      shift = shift + p.get(at.f(j, i)) * v.get(j);
      rest = rest - p.get(at.f(i, j)) * t.get(j);
    }
    const V r = p.get(at.r(i)), s = p.get(at.s(i));
    const TanhRoot<V> root = tanh_root<V>(r * s, s * rest + shift, tolerance, most);
    t.set(i, root.t);
    v.set(i, rest - r * root.t);
    log_det(log1p((V(1) - root.t) * (V(1) + root.t) * (r * s)));
    iterations = max(iterations, root.iterations);
    // The larger one; a NaN stays, whichever of them it is.
    residual = select((residual >= root.residual) | (residual != residual), residual, root.residual);
  }
}

// Backward of either direction at v, where t = tanh a. Forward: `given` is dL_dy and stays; inverse: `given` is dL_dv and
// becomes dL_dy. dl is dL by the log-determinant of the direction. q holds dL_da where it is done.
//
// Inverse: with G the gradient by v that arrives, log-determinant included, λ = J⁻ᵀG of J = I + R·H·S, H = diag(1 − t²),
// is dL_dy, and the parameters get what the forward map gives them for the gradient −λ by y.
template <bool inverse, class V, class P, class X, class Rows, class Out>
FLOW_FORMULA void sylvester_backward(SylvesterLayout at, const P& p, const X& v, const Rows& t, V dl, const Rows& given,
                                     const Rows& q, const Rows& dv, const Out& dp) {
  const int64_t m = at.m;
  if (inverse) dl = -dl;  // dL by Σ log(1 + r s h)
  // What the log-determinant sends to a.
  for (int64_t i = 0; i < m; ++i) {
    const V th = t.get(i), h = (V(1) - th) * (V(1) + th), rs = p.get(at.r(i)) * p.get(at.s(i));
    q.set(i, dl * rs * (V(-2) * th * h) / (V(1) + rs * h));
  }
  if (inverse) {
    // G = dL_dv + Sᵀq, then λ by substitution from the first row on; u = H·Rᵀλ stands in dv.
    for (int64_t i = 0; i < m; ++i) {
      V g = given.get(i) + p.get(at.s(i)) * q.get(i), sent(0);
      for (int64_t j = 0; j < i; ++j) {
        g = g + p.get(at.f(i, j)) * (q.get(j) - dv.get(j));
        sent = sent + p.get(at.f(j, i)) * given.get(j);
      }
      const V th = t.get(i), h = (V(1) - th) * (V(1) + th), r = p.get(at.r(i)), s = p.get(at.s(i));
      const V lambda = (g - s * h * sent) / (V(1) + r * s * h);
      given.set(i, lambda);
      dv.set(i, h * (sent + r * lambda));
    }
    for (int64_t i = 0; i < m; ++i) q.set(i, q.get(i) - dv.get(i));
  } else {
    for (int64_t i = 0; i < m; ++i) {
      V sent = p.get(at.r(i)) * given.get(i);
      for (int64_t j = 0; j < i; ++j) sent = sent + p.get(at.f(j, i)) * given.get(j);
      const V th = t.get(i);
      q.set(i, q.get(i) + (V(1) - th) * (V(1) + th) * sent);
    }
  }
  const V sign(inverse ? -1 : 1);
  for (int64_t i = 0; i < m; ++i) {
    const V th = t.get(i), h = (V(1) - th) * (V(1) + th), r = p.get(at.r(i)), s = p.get(at.s(i));
    const V dy = sign * given.get(i), da = q.get(i), by_rs = dl * h / (V(1) + r * s * h);
    dp.set(at.r(i), dy * th + by_rs * s);
    dp.set(at.s(i), da * v.get(i) + by_rs * r);
    dp.set(at.b(i), da);
    dp.set(at.f(i, i), V(0));
    V sent = given.get(i) + s * da;
    for (int64_t j = 0; j < i; ++j) sent = sent + p.get(at.f(i, j)) * q.get(j);
    for (int64_t j = i + 1; j < m; ++j) {
      dp.set(at.f(i, j), dy * t.get(j));
      dp.set(at.f(j, i), da * v.get(j));
    }
    dv.set(i, inverse ? given.get(i) : sent);
  }
}

}  // namespace flow::FLOW_ISA
