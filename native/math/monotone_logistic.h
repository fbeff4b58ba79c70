// The mixture of logistics of Flow++ (Ho, Chen, Srinivas, Duan, Abbeel 2019, eq. 9–12): the distribution function of K logistics, through a
// logit, scaled and shifted.
//
//   c_k = (x − μ_k)·e^(−s_k)     S = Σ_k π_k·σ(c_k)     y = e^a·(log S − log(1 − S)) + b
//
// a and s_k are B·tanh(raw/B), π a softmax. S and 1 − S are sums of positive terms, taken as log-sum-exp, as in monotone_dsf.h, whose
// formulas these are with a slope of e^(−s_k). Since log S − log(1 − S) is between the least and the largest c_k, the roots are bracketed:
// with u = (y − b)·e^(−a), x is between the least and the largest u·e^(s_k) + μ_k.
//
// Parameters: a, b, π (K), μ (K), s (K).
#pragma once
#include "math/rows.h"
#include "math/solve.h"

namespace flow::FLOW_ISA {

template <class V>
struct LogisticMixture {
  using T = lane_t<V>;
  int64_t components;  // K
  T bound;             // B

  FLOW_FORMULA int64_t params() const { return 2 + 3 * components; }
  // a, e^a, log S, log(1 − S), log Σ π σ(c)σ(−c)e^(−s); then log π, s, c of each component.
  FLOW_FORMULA int64_t work() const { return 5 + 3 * components; }
  FLOW_FORMULA V bounded(V raw) const { return V(bound) * tanh(raw * V(T(1) / bound)); }
  // The slope of `bounded` where it is `value`.
  FLOW_FORMULA V bend(V value) const {
    const V part = value * V(T(1) / bound);
    return V(T(1)) - part * part;
  }
  FLOW_FORMULA Rows<V> log_pi(Rows<V> work) const { return work.from(5); }
  FLOW_FORMULA Rows<V> log_scales(Rows<V> work) const { return work.from(5 + components); }
  FLOW_FORMULA Rows<V> places(Rows<V> work) const { return work.from(5 + 2 * components); }
  FLOW_FORMULA Rows<V> means(Rows<V> raw) const { return raw.from(2 + components); }

  FLOW_FORMULA void prepare(Rows<V> raw, Rows<V> work) const {
    const V a = bounded(raw[0]);
    work.set(0, a);
    work.set(1, exp(a));
    const Rows<V> logits = raw.from(2), raw_s = raw.from(2 + 2 * components), pi = log_pi(work), s = log_scales(work);
    V most = logits[0];
    for (int64_t k = 1; k < components; ++k) most = max(most, logits[k]);
    V sum(T(0));
    for (int64_t k = 0; k < components; ++k) sum += exp(logits[k] - most);
    const V lse = most + log(sum);
    for (int64_t k = 0; k < components; ++k) {
      pi.set(k, logits[k] - lse);
      s.set(k, bounded(raw_s[k]));
    }
  }

  FLOW_FORMULA Value<V> value(Rows<V> raw, Rows<V> work, V x) const {
    const Rows<V> pi = log_pi(work), s = log_scales(work), c = places(work), mu = means(raw);
    V up(-layout_infinity<T>), down = up, both = up, size(T(0));
    for (int64_t k = 0; k < components; ++k) {
      const V steep = exp(-s[k]), at = (x - mu[k]) * steep, lw = pi[k];
      c.set(k, at);
      size = max(size, (abs(x) + abs(mu[k])) * steep);
      up = max(up, lw + min(V(T(0)), at));
      down = max(down, lw + min(V(T(0)), -at));
      both = max(both, lw - s[k] - abs(at));
    }
    V S(T(0)), rest(T(0)), t(T(0));
    for (int64_t k = 0; k < components; ++k) {
      const V at = c[k], lw = pi[k];
      const V r = V(T(1)) / (V(T(1)) + exp(-abs(at)));
      S = fma(exp(lw + min(V(T(0)), at) - up), r, S);
      rest = fma(exp(lw + min(V(T(0)), -at) - down), r, rest);
      t = fma(exp(lw - s[k] - abs(at) - both), r * r, t);
    }
    const V log_s = up + log(S), log_rest = down + log(rest), log_t = both + log(t);
    work.set(2, log_s);
    work.set(3, log_rest);
    work.set(4, log_t);
    return {fma(work[1], log_s - log_rest, raw[1]), work[0] + log_t - log_s - log_rest, fma(work[1], size, abs(raw[1]))};
  }

  FLOW_FORMULA void bracket(Rows<V> raw, Rows<V> work, V y, V& low, V& high, V& start) const {
    const Rows<V> s = log_scales(work), mu = means(raw);
    const V u = (y - raw[1]) / work[1];
    low = V(layout_infinity<T>), high = -low;
    for (int64_t k = 0; k < components; ++k) {
      const V far = u * exp(s[k]), root = far + mu[k];
      // The product rounds, and so does the function.
      const V spare = (abs(far) + abs(mu[k]) + V(T(1))) * V(solved_to<T>);
      low = min(low, root - spare);
      high = max(high, root + spare);
    }
    start = low + (high - low) * V(T(0.5));
  }

  // After `value` at x: dL_dx and the gradients by the raw parameters, of dL_dy and the gradient dL_dl by log dy/dx.
  FLOW_FORMULA V grad(Rows<V> raw, Rows<V> work, V x, V dL_dy, V dL_dl, Rows<V> dL_draw) const {
    (void)raw;
    (void)x;
    const int64_t K = components;
    const Rows<V> pi = log_pi(work), s = log_scales(work), places_of = places(work);
    const V log_s = work[2], log_rest = work[3], log_t = work[4];
    const V g = dL_dy * work[1];
    dL_draw.set(0, fma(g, log_s - log_rest, dL_dl) * bend(work[0]));
    dL_draw.set(1, dL_dy);
    V dL_dx(T(0));
    for (int64_t k = 0; k < K; ++k) {
      const V c = places_of[k], lw = pi[k];
      const V e = exp(-abs(c)), r = V(T(1)) / (V(T(1)) + e);
      const V plus = select(c < V(T(0)), e * r, r), minus = select(c < V(T(0)), r, e * r);
      // Shares of component k in S, in 1 − S and in the slope.
      const V in_s = exp(lw + min(V(T(0)), c) - log_s) * r;
      const V in_rest = exp(lw + min(V(T(0)), -c) - log_rest) * r;
      const V in_t = exp(lw - s[k] - abs(c) - log_t) * (r * r);
      const V from_s = in_s * minus, from_rest = in_rest * plus;
      const V dc = g * (from_s + from_rest) + dL_dl * (in_t * (minus - plus) - from_s + from_rest);
      const V dx = dc * exp(-s[k]);
      dL_dx += dx;
      dL_draw.set(2 + k, g * (in_s - in_rest) + dL_dl * (in_t - in_s - in_rest + exp(lw)));
      dL_draw.set(2 + K + k, -dx);
      dL_draw.set(2 + 2 * K + k, -(fma(dc, c, dL_dl * in_t)) * bend(s[k]));
    }
    return dL_dx;
  }
};

}  // namespace flow::FLOW_ISA
