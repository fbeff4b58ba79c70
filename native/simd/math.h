// Elementary functions for Vec<float>, Vec<double>, float and double: one formula for all four, no branch.
//
// Worst error against long double libm, in ulp of the result (below the normal numbers: in units of the
// smallest subnormal), over the sweeps of test/native/math_test.cc, AVX-512, AVX2 and SSE2, lanes and
// scalars; the test fails above 2 (8 for the last one):
//
//                   float   double
//   exp              0.75     0.75
//   expm1            1.03     1.07
//   log              0.88     0.92
//   log1p            1.44     1.44
//   tanh             1.88     1.71
//   sigmoid          1.82     1.76
//   softplus         1.69     1.70
//   log_sigmoid      1.71     1.70
//   erf              1.24     1.38
//   sin_2pi          1.53     1.55
//   cos_2pi          1.50     1.54
//   atan             1.39     1.40
//   asinh            1.66     1.68
//   normal_cdf       6.42     6.60
//
// Arguments that are NaN give NaN. Edges:
//
//   exp        −inf → 0, overflow → inf, subnormal results are rounded correctly
//   expm1      −inf → −1, ±0 → ±0
//   log        +0, −0 → −inf, x < 0 → NaN, subnormal arguments are exact
//   log1p      −1 → −inf, x < −1 → NaN, ±0 → ±0
//   tanh, erf  odd, ±0 → ±0, ±inf → ±1
//   atan       odd, ±0 → ±0, ±inf → ±π/2
//   sigmoid    1/(1 + exp(−x)); softplus log(1 + exp(x)); log_sigmoid −softplus(−x): relative accuracy in
//              both tails
//   sincos_2pi sin(2πu), cos(2πu) for |u| ≤ 2^20 (float) or 2^50 (double)
//   gelu       x·Φ(x): absolute accuracy eps·|x| only, since it is made of 1 + erf
#pragma once

#include "math_coefficients.h"
#include "vec.h"

namespace flow::FLOW_ISA {

template <class V>
using coefficients_of = Coefficients<lane_t<V>>;

/** c[0] + c[1]·x + … */
template <class V, int N>
FLOW_INLINE V polynomial(V x, const lane_t<V> (&c)[N]) {
  V y(c[N - 1]);
  FLOW_UNROLL
  for (int i = N - 2; i >= 0; --i) y = fma(y, x, V(c[i]));
  return y;
}

/** How the bits of T are laid out. */
template <class T>
struct Layout;
template <>
struct Layout<float> {
  static constexpr int mantissa_bits = 23;
  static constexpr int32_t bias = 127;
  static constexpr int32_t mantissa_mask = 0x7fffff;
  static constexpr float infinity = __builtin_inff();
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float magic = 0x1.8p23f;  // x + magic has the integer x in its low bits
  static constexpr float lowest_exponent = -126, highest_exponent = 127;
  static constexpr float exp_low = -104.5f, exp_high = 89.0f;
};
template <>
struct Layout<double> {
  static constexpr int mantissa_bits = 52;
  static constexpr int64_t bias = 1023;
  static constexpr int64_t mantissa_mask = 0xfffffffffffff;
  static constexpr double infinity = __builtin_inf();
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double magic = 0x1.8p52;
  static constexpr double lowest_exponent = -1022, highest_exponent = 1023;
  static constexpr double exp_low = -746.0, exp_high = 710.0;
};
template <class V>
using layout_of = Layout<lane_t<V>>;

/** 2^n for an integral n in the range of normal exponents. */
template <class V>
FLOW_INLINE V power_of_two(V n) {
  using L = layout_of<V>;
  return from_bits<V>((to_bits(n + V(L::magic)) + L::bias) << L::mantissa_bits);
}

/** x·2^n for an integral n, |n| ≤ 2·bias, rounded once. */
template <class V>
FLOW_INLINE V scale(V x, V n) {
  using L = layout_of<V>;
#if defined(__AVX512F__)
  if constexpr (width_of<V> == 16) {
    return V(_mm512_maskz_scalef_ps(0xffff, x.v, n.v));
  } else if constexpr (width_of<V> == 8) {
    return V(_mm512_maskz_scalef_pd(0xff, x.v, n.v));
  }
#endif
  const V near = min(max(n, V(L::lowest_exponent)), V(L::highest_exponent));
  return (x * power_of_two(near)) * power_of_two(n - near);
}

/** x = n·ln 2 + r, n integral, |r| ≤ ln 2 / 2: expm1(r) = high + rest, high exact and rest far smaller. */
template <class V>
FLOW_INLINE void expm1_reduced(V x, V& n, V& high, V& rest) {
  using C = coefficients_of<V>;
  using L = layout_of<V>;
  n = fma(x, V(C::log2e), V(L::magic)) - V(L::magic);
  high = fma(n, V(-C::ln2_high), x);
  const V low = n * V(C::ln2_low);
  const V r = high - low;
  rest = fma(r * r, polynomial(r, C::expm1), -low);
}

template <class V>
FLOW_INLINE V exp(V x) {
  using L = layout_of<V>;
  // Beyond these the result is 0 or inf; the order of the arguments keeps a NaN.
  const V inside = max(V(L::exp_low), min(V(L::exp_high), x));
  V n, high, rest;
  expm1_reduced(inside, n, high, rest);
  // 1 + high in two parts, so that only the last sum rounds at the size of the result.
  const V t = V(1) + high;
  return scale(t + (((V(1) - t) + high) + rest), n);
}

template <class V>
FLOW_INLINE V expm1(V x) {
  using L = layout_of<V>;
  const V inside = max(V(-L::mantissa_bits), min(V(L::exp_high), x));
  V n, high, rest;
  expm1_reduced(inside, n, high, rest);
  // 2^n·(high + rest) + (2^n − 1), the large terms in two parts as above; half of it, doubled at the end,
  // since 2^128 overflows where the result does not.
  const V half = power_of_two(min(n, V(L::highest_exponent + 1)) - V(1));
  const V a = half - V(0.5);
  const V b = half * high;
  const V t = a + b;
  const V y = t + fma(half, rest, (a - t) + b);
  // n = 0 needs no sum (half of a subnormal number would lose a bit), and −0 stays.
  return select(n == V(0), select(x == V(0), x, high + rest), y + y);
}

/** log(1 + f) for √½ − 1 ≤ f ≤ √2 − 1, plus n·ln 2. */
template <class V>
FLOW_INLINE V log_reduced(V f, V n) {
  using C = coefficients_of<V>;
  const V s = f / (f + V(2));
  const V z = s * s;
  // 2·atanh(s) = 2s + s·R and 2s = f − s·f, where f is exact.
  const V correction = s * (f - z * polynomial(z, C::log)) - n * V(C::ln2_low);
  return fma(n, V(C::ln2_high), f - correction);
}

/** x = m·2^n, √½ ≤ m < √2 for a positive normal x; n − shift is given. */
template <class V>
FLOW_INLINE V split(V x, V shift, V& n) {
  using L = layout_of<V>;
  const auto bits = to_bits(x);
  const auto exponent = (bits >> L::mantissa_bits) & (2 * L::bias + 1);
  // The integer in the low bits of 2^mantissa: no conversion instruction is needed.
  constexpr lane_t<V> whole = lane_t<V>(int_t<V>(1) << L::mantissa_bits);
  const V biased = from_bits<V>(exponent | to_bits(V(whole))) - V(whole);
  const V m = from_bits<V>((bits & L::mantissa_mask) | to_bits(V(1)));
  const auto high = m > V(1.4142135623730951);
  n = (biased - V(L::bias)) - shift + select(high, V(1), V(0));
  return select(high, m * V(0.5), m);
}

/** What log and log1p give at 0, inf, NaN and below 0; x is the argument of log. */
template <class V>
FLOW_INLINE V log_edges(V x, V y) {
  using L = layout_of<V>;
  y = select(x == V(L::infinity), x, y);
  y = select(x == V(0), V(-L::infinity), y);
  return select(x >= V(0), y, V(__builtin_nan("")));
}

template <class V>
FLOW_INLINE V log(V x) {
  using L = layout_of<V>;
  const auto small = x < V(L::smallest_normal);
  constexpr int shift = L::mantissa_bits + 1;
  V n;
  const V m = split(select(small, x * V(lane_t<V>(int_t<V>(1) << shift)), x), select(small, V(shift), V(0)), n);
  return log_edges(x, log_reduced(m - V(1), n));
}

template <class V>
FLOW_INLINE V log1p(V x) {
  using L = layout_of<V>;
  const V u = x + V(1);
  V n;
  const V m = split(u, V(0), n);
  // 1 + x = 2^n·(1 + f): f from x itself, since the rounding of 1 + x would be an error of f.
  const V t = power_of_two(-min(n, V(L::mantissa_bits + 2)));
  const V f = select(n > V(L::mantissa_bits + 1), m - V(1), fma(x, t, t - V(1)));
  const V y = log_edges(u, log_reduced(f, n));
  return select(abs(x) < V(L::smallest_normal), x, y);
}

/** n − d·q for the rounded quotient q = n/d: exact where products are fused, else left out. */
template <class V>
FLOW_INLINE V residual(V n, V d, V q) {
#if defined(__FMA__) || defined(FLOW_ARM)
  return fma(-d, q, n);
#else
  (void)n, (void)d, (void)q;
  return V(0);
#endif
}

template <class V>
FLOW_INLINE V tanh(V x) {
  // Above 20 (double) it is 1 in either type; the order of min keeps a NaN.
  const V a = min(V(20), abs(x));
  const V t = expm1(a + a);
  const V d = t + V(2);
  const V q = t / d;
  // The rounding errors of the sum and of the quotient put back; 1/d = (1 − q)/2. Above t = 2 they are small.
  const V lost = (V(2) - d) + t;
  const V y = select(t < V(2), fma((V(1) - q) * V(0.5), residual(t, d, q) - lost * q, q), q);
  // Below this x is nearer than what subnormal numbers let t/2 be.
  return copysign(select(a < V(layout_of<V>::smallest_normal), a, y), x);
}

template <class V>
FLOW_INLINE V sigmoid(V x) {
  const V e = exp(-abs(x));
  const V n = select(x < V(0), e, V(1));
  const V d = V(1) + e;
  const V q = n / d;
  // The rounding errors of the sum and of the quotient put back, divided by d.
  const V lost = (V(1) - d) + e;
  const V inverse = select(x < V(0), V(1) - q, q);
  return fma(inverse, residual(n, d, q) - lost * q, q);
}

/** 1/(1 + e) and log(1 + e) for 0 ≤ e ≤ 1, by one division, within 3 and 4 ulp: what sigmoid and
    softplus are made of, e = exp(−|u|). */
template <class V>
FLOW_INLINE void logistic_parts(V e, V& inverse, V& log) {
  const V d = V(1) + e, h = V(2) + e;
  const V r = V(1) / (d * h);
  inverse = h * r;
  const V s = e * (d * r);
  const V z = s * s;
  log = fma(s * z, polynomial(z, coefficients_of<V>::log1p_unit), s + s);
}

template <class V>
FLOW_INLINE V softplus(V x) {
  return max(V(0), x) + log1p(exp(-abs(x)));
}

template <class V>
FLOW_INLINE V log_sigmoid(V x) {
  return -softplus(-x);
}

template <class V>
FLOW_INLINE V erf(V x) {
  using C = coefficients_of<V>;
  const V a = abs(x);
  const V inner = fma(a, polynomial(a * a, C::erf), a);
  const V t = min(V(C::erf_far), a) - V(C::erfc_centre);
  const V outer = V(1) - exp(-polynomial(t, C::erfc_log));
  return copysign(select(a > V(1), outer, inner), x);
}

template <class V>
FLOW_INLINE V atan(V x) {
  using C = coefficients_of<V>;
  const V a = abs(x);
  // t with |t| ≤ ½: a itself, or atan(a) = π/4 + atan((a − 1)/(a + 1)), or π/2 − atan(1/a).
  const auto beyond = a > V(0.5), far = a > V(2);
  const V n = select(far, V(-1), select(beyond, a - V(1), a));
  const V d = select(far, a, select(beyond, a + V(1), V(1)));
  const V t = n / d;
  const V z = t * t;
  const V half_turns = select(far, V(1), select(beyond, V(0.5), V(0)));
  const V rest = fma(t * z, polynomial(z, C::atan), half_turns * V(C::half_pi_low));
  return copysign(fma(half_turns, V(C::half_pi), t + rest), x);
}

template <class V>
FLOW_INLINE V asinh(V x) {
  const V a = abs(x);
  // log(a + √(1 + a²)) from its part beyond 1; from 2³⁰ on it is log(2a), and a² may overflow.
  const V near = min(V(0x1p30f), a), square = near * near;
  const V y = log1p(near + square / (V(1) + sqrt(V(1) + square)));
  return copysign(select(a > V(0x1p30f), log(a) + V(0.69314718055994531), y), x);
}

/** √(2π)·exp(x²/2)·(1 − Φ(x)) for x ≥ 0 (or hardly below), Φ the normal distribution function: Mills' ratio. */
template <class V>
FLOW_INLINE V mills_ratio(V x) {
  const V t = V(1) / fma(V(0.35355339059327376), x, V(1));
  // √(π/2)·erfcx(x/√2)
  return V(1.2533141373155003) * (t * polynomial(t + t - V(1), coefficients_of<V>::erfc_tail));
}

/** Φ(x), with relative accuracy in the lower tail, within 7 ulp; Φ(0) = 1/2 exactly. */
template <class V>
FLOW_INLINE V normal_cdf(V x) {
  // Beyond these the tail is 0; the order of min keeps a NaN.
  const V a = min(V(sizeof(lane_t<V>) == 4 ? 14.5 : 38.8), abs(x));
  // a² = h² + (a − h)(a + h), h with half of the digits: exact, and so is what exp sees.
  constexpr int_t<V> upper = ~((int_t<V>(1) << (sizeof(lane_t<V>) == 4 ? 12 : 27)) - 1);
  const V h = from_bits<V>(to_bits(a) & upper);
  const V density = exp(V(-0.5) * (h * h)) * exp(V(-0.5) * ((a - h) * (a + h))) * V(0.39894228040143268);
  const V tail = density * mills_ratio(a);
  const V near = fma(V(0.5), erf(x * V(0.70710678118654752)), V(0.5));
  return select(a < V(1), near, select(x > V(0), V(1) - tail, tail));
}

/** Φ⁻¹(p): −inf at 0, inf at 1, NaN outside. Absolute error of some eps. */
template <class V>
FLOW_INLINE V normal_quantile(V p) {
  const V other = V(1) - p;
  const auto lower = p < V(0.5);
  const V q = select(lower, p, other);
  // Abramowitz, Stegun 26.2.23: within 4.5e-4; then Halley's step on 1 − Φ(x) = q twice, each of the third order.
  const V t = sqrt(V(-2) * log(q));
  V x = t - fma(fma(V(0.010328), t, V(0.802853)), t, V(2.515517)) /
                fma(fma(fma(V(0.001308), t, V(0.189269)), t, V(1.432788)), t, V(1));
  for (int k = 0; k < 2; ++k) {
    const V f = mills_ratio(x) - q * exp(V(0.5) * x * x) * V(2.5066282746310002);
    x = x + f / (V(1) - V(0.5) * f * x);
  }
  x = select(q == V(0), V(layout_of<V>::infinity), x);
  return select((p >= V(0)) & (p <= V(1)), select(lower, -x, x), V(__builtin_nan("")));
}

/** x·Φ(x), Φ the normal distribution function. */
template <class V>
FLOW_INLINE V gelu(V x) {
  const V half = V(0.5) * x;
  return fma(half, erf(x * V(0.70710678118654752)), half);
}

/** sin(2πu) and cos(2πu). */
template <class V>
FLOW_INLINE void sincos_2pi(V u, V& sine, V& cosine) {
  using C = coefficients_of<V>;
  using L = layout_of<V>;
  // u = q/4 + r, |r| ≤ 1/8, exactly.
  const V shifted = fma(u, V(4), V(L::magic));
  const V q = shifted - V(L::magic);
  const V r = fma(q, V(-0.25), u);
  const V z = r * r;
  const V s = fma(r, V(C::two_pi), r * fma(z, polynomial(z, C::sin2pi), V(C::two_pi_low)));
  const V c = fma(z, polynomial(z, C::cos2pi), V(1));
  // Quadrant q mod 4 stands in the low bits of `shifted`.
  const auto quadrant = to_bits(shifted);
  constexpr int sign_shift = 8 * static_cast<int>(sizeof(lane_t<V>)) - 2;

  const auto swap = (quadrant & 1) != 0;
  V first, second;
  if constexpr (width_of<V> == 1) {
    first = swap ? c : s;
    second = swap ? s : c;
  } else {
    first = V(swap ? c.v : s.v);
    second = V(swap ? s.v : c.v);
  }
  // sin is negative in quadrants 2 and 3, cos in 1 and 2.
  const auto sine_sign = (quadrant & 2) << sign_shift;
  const auto cosine_sign = ((quadrant + 1) & 2) << sign_shift;
  sine = from_bits<V>(to_bits(first) ^ sine_sign);
  cosine = from_bits<V>(to_bits(second) ^ cosine_sign);
}

}  // namespace flow::FLOW_ISA
