// Increasing polynomials of one number: sums of squares (Jaini, Selby, Yu, "Sum-of-Squares Polynomial Flow", 2019, eq. 8) and
// Bernstein polynomials (Ramasinghe et al., "Robust normalizing flows using Bernstein-type polynomials", 2021; Sick et al., "Deep
// transformation models", 2020). Beyond ±bound each goes on as its tangent there: a polynomial of a far value overflows, and its
// tails are not what the data say. Both are the identity where all raw parameters are 0, and their slope is `least` at least.
#pragma once
#include "math/rows.h"
#include "math/solve.h"

namespace flow::FLOW_ISA {

// Slopes of at least `least`: the root of f(x) = y is between `at` and at + (y − f(at))/least.
template <class V>
FLOW_FORMULA void bracket_by_slope(V at, V gap, lane_t<V> least, V& low, V& high) {
  using T = lane_t<V>;
  const V far = gap / V(least);
  const V spare = (abs(far) + abs(at) + V(T(1))) * V(solved_to<T>);
  low = at + min(V(T(0)), far) - spare;
  high = at + max(V(T(0)), far) + spare;
}

// f(x) = c + ∫₀ˣ g(u) du, g = least + (1 − least)/K·Σ_k q_k², q_k(u) = 1 + Σ_{l ≤ R} a_kl·u^l. Parameters: c, then a_k0 … a_kR.
template <class V>
struct SumOfSquares {
  using T = lane_t<V>;
  int64_t squares;  // K
  int64_t degree;   // R
  T bound;
  T least;

  FLOW_FORMULA int64_t params() const { return 1 + squares * (degree + 1); }
  FLOW_FORMULA int64_t work() const { return 2 * degree + 1; }
  FLOW_FORMULA V coefficient(Rows<V> raw, int64_t k, int64_t l) const {
    const V a = raw[1 + k * (degree + 1) + l];
    return l == 0 ? a + V(T(1)) : a;
  }
  FLOW_FORMULA V weight() const { return V((T(1) - least) / static_cast<T>(squares)); }

  // (f(x) − c − least·x)/x as a polynomial.
  FLOW_FORMULA void prepare(Rows<V> raw, Rows<V> work) const {
    for (int64_t j = 0; j <= 2 * degree; ++j) {
      V sum(T(0));
      const int64_t first = j > degree ? j - degree : 0, last = j < degree ? j : degree;
      for (int64_t k = 0; k < squares; ++k)
        for (int64_t l = first; l <= last; ++l) sum = fma(coefficient(raw, k, l), coefficient(raw, k, j - l), sum);
      work.set(j, sum * weight() * V(T(1) / static_cast<T>(j + 1)));
    }
  }
  FLOW_FORMULA V inside(V x) const { return min(V(bound), max(V(-bound), x)); }
  FLOW_FORMULA V square_root(Rows<V> raw, int64_t k, V x) const {
    V q = coefficient(raw, k, degree);
    for (int64_t l = degree - 1; l >= 0; --l) q = fma(q, x, coefficient(raw, k, l));
    return q;
  }
  FLOW_FORMULA V slope(Rows<V> raw, V x) const {
    V sum(T(0));
    for (int64_t k = 0; k < squares; ++k) {
      const V q = square_root(raw, k, x);
      sum = fma(q, q, sum);
    }
    return fma(sum, weight(), V(least));
  }
  FLOW_FORMULA Value<V> value(Rows<V> raw, Rows<V> work, V x) const {
    const V at = inside(x), far = x - at, g = slope(raw, at);
    V sum = work[2 * degree], size = abs(sum);
    for (int64_t j = 2 * degree - 1; j >= 0; --j) {
      sum = fma(sum, at, work[j]);
      size = fma(size, abs(at), abs(work[j]));
    }
    const V y = fma(sum + V(least), at, raw[0]) + g * far;
    return {y, log(g), abs(raw[0]) + size * abs(at) + g * abs(far)};
  }
  FLOW_FORMULA void bracket(Rows<V> raw, Rows<V>, V y, V& low, V& high, V& start) const {
    start = y - raw[0];
    bracket_by_slope(V(T(0)), start, least, low, high);
  }
  FLOW_FORMULA V grad(Rows<V> raw, Rows<V>, V x, V dL_dy, V dL_dl, Rows<V> dL_draw) const {
    const V at = inside(x), far = x - at, g = slope(raw, at), by_g = dL_dl / g, twice = weight() + weight();
    const V by_slope = fma(dL_dy, far, by_g);  // of g(at)
    V bend(T(0));                              // g′(at)
    for (int64_t k = 0; k < squares; ++k) {
      V q = coefficient(raw, k, degree), dq(T(0));
      for (int64_t l = degree - 1; l >= 0; --l) {
        dq = fma(dq, at, q);
        q = fma(q, at, coefficient(raw, k, l));
      }
      bend = fma(q, dq, bend);
      V power(T(1));
      for (int64_t l = 0; l <= degree; ++l) {
        V area = coefficient(raw, k, degree) * V(T(1) / static_cast<T>(l + degree + 1));  // ∫ q·u^l du / x^(l+1)
        for (int64_t j = degree - 1; j >= 0; --j)
          area = fma(area, at, coefficient(raw, k, j) * V(T(1) / static_cast<T>(l + j + 1)));
        dL_draw.set(1 + k * (degree + 1) + l, twice * power * (dL_dy * area * at + by_slope * q));
        power = power * at;
      }
    }
    dL_draw.set(0, dL_dy);
    return dL_dy * g + select(at == x, by_g * twice * bend, V(T(0)));
  }
};

// f(x) = Σ_k θ_k·B_k(t), t = (x + bound)/(2·bound), B_k the Bernstein polynomials of degree M; θ_0 = raw_0 − bound,
// θ_k − θ_{k−1} = (2·bound/M)·(least + (1 − least)·softplus(raw_k + log(e − 1))). Evaluated by the basis, all of whose terms are
// positive: the slope is a sum of positive terms.
template <class V>
struct Bernstein {
  using T = lane_t<V>;
  int64_t degree;  // M
  T bound;
  T least;

  static constexpr double unit_softplus = 0.54132485461291810;  // log(e − 1): softplus is 1 there
  FLOW_FORMULA int64_t params() const { return degree + 1; }
  // θ, the steps, the basis.
  FLOW_FORMULA int64_t work() const { return 3 * (degree + 1); }
  FLOW_FORMULA V step_size() const { return V(T(2) * bound / static_cast<T>(degree)); }
  FLOW_FORMULA V density() const { return V(static_cast<T>(degree) / (T(2) * bound)); }

  FLOW_FORMULA void prepare(Rows<V> raw, Rows<V> work) const {
    V theta = raw[0] - V(bound);
    work.set(0, theta);
    for (int64_t k = 1; k <= degree; ++k) {
      const V step = step_size() * fma(softplus(raw[k] + V(T(unit_softplus))), V(T(1) - least), V(least));
      theta = theta + step;
      work.set(k, theta);
      work.set(degree + 1 + k, step);
    }
  }
  FLOW_FORMULA V inside(V x) const { return min(V(bound), max(V(-bound), x)); }
  // The basis of one degree more, in place.
  FLOW_FORMULA void raise(Rows<V> basis, int64_t to, V t, V rest) const {
    V before = basis[0];
    basis.set(0, before * rest);
    for (int64_t k = 1; k < to; ++k) {
      const V here = basis[k];
      basis.set(k, fma(before, t, here * rest));
      before = here;
    }
    basis.set(to, before * t);
  }
  FLOW_FORMULA V slope(Rows<V> steps, Rows<V> basis) const {
    V sum(T(0));
    for (int64_t k = 0; k < degree; ++k) sum = fma(steps[k + 1], basis[k], sum);
    return sum * density();
  }
  FLOW_FORMULA void places(V at, V& t, V& rest) const {
    const V half = V(T(0.5) / bound);
    t = (at + V(bound)) * half;
    rest = (V(bound) - at) * half;
  }
  FLOW_FORMULA Value<V> value(Rows<V>, Rows<V> work, V x) const {
    const Rows<V> basis = work.from(2 * (degree + 1));
    const V at = inside(x), far = x - at;
    V t, rest;
    places(at, t, rest);
    basis.set(0, V(T(1)));
    for (int64_t j = 1; j < degree; ++j) raise(basis, j, t, rest);
    const V g = slope(work.from(degree + 1), basis);
    raise(basis, degree, t, rest);
    V y(T(0)), size(T(0));
    for (int64_t k = 0; k <= degree; ++k) {
      y = fma(work[k], basis[k], y);
      size = fma(abs(work[k]), basis[k], size);
    }
    return {y + g * far, log(g), size + g * abs(far)};
  }
  FLOW_FORMULA void bracket(Rows<V> raw, Rows<V> work, V y, V& low, V& high, V& start) const {
    start = y - raw[0];
    bracket_by_slope(V(-bound), y - work[0], least, low, high);
  }
  FLOW_FORMULA V grad(Rows<V> raw, Rows<V> work, V x, V dL_dy, V dL_dl, Rows<V> dL_draw) const {
    const Rows<V> steps = work.from(degree + 1), basis = work.from(2 * (degree + 1));
    const V at = inside(x), far = x - at;
    V t, rest, bend(T(0));
    places(at, t, rest);
    basis.set(0, V(T(1)));
    for (int64_t j = 1; j < degree; ++j) {
      if (j + 1 == degree)
        for (int64_t k = 0; k < j; ++k) bend = fma(steps[k + 2] - steps[k + 1], basis[k], bend);
      raise(basis, j, t, rest);
    }
    bend = bend * density() * V(static_cast<T>(degree - 1) / (T(2) * bound));
    const V g = slope(steps, basis), by_g = dL_dl / g;
    const V by_slope = fma(dL_dy, far, by_g) * density();
    for (int64_t k = 1; k <= degree; ++k) dL_draw.set(k, by_slope * basis[k - 1]);
    raise(basis, degree, t, rest);
    V tail(T(0));
    for (int64_t k = degree; k >= 1; --k) {
      tail += basis[k];
      const V by_step = fma(dL_dy, tail, dL_draw[k]);
      dL_draw.set(k, by_step * step_size() * V(T(1) - least) * sigmoid(raw[k] + V(T(unit_softplus))));
    }
    dL_draw.set(0, dL_dy);
    return dL_dy * g + select(at == x, by_g * bend, V(T(0)));
  }
};

}  // namespace flow::FLOW_ISA
