// sin and cos of an angle in radians.
// Include after the functions of V (simd/math.h on a CPU): the formulas here are made of them.
#pragma once
#include "math/formula.h"

namespace flow::FLOW_ISA {

// π/2 in three parts whose products with a small whole number are exact (Cody and Waite, "Software Manual for the
// Elementary Functions", 1980, chapter 8).
template <class T>
struct HalfPi;
template <>
struct HalfPi<float> {
  static constexpr float high = 0x1.92p+0f, middle = 0x1.fb4p-12f, low = 0x1.4442d2p-24f;
};
template <>
struct HalfPi<double> {
  static constexpr double high = 0x1.921fb544p+0, middle = 0x1.0b4611a6p-34, low = 0x1.3198a2e037073p-69;
};

/** sin(x) and cos(x). Absolute error of a few eps for |x| ≤ 10⁴ (float) or 10⁸ (double), growing with |x| beyond. */
template <class V>
FLOW_FORMULA void sin_cos(V x, V& sine, V& cosine) {
  using P = HalfPi<lane_t<V>>;
  const V q = round(x * V(0.63661977236758134));
  const V r = ((x - q * V(P::high)) - q * V(P::middle)) - q * V(P::low);
  V s, c;
  sincos_2pi(r * V(0.15915494309189534), s, c);
  // x = r + q·π/2: the quadrant q mod 4 swaps and signs them.
  const V quadrant = q - V(4) * floor(q * V(0.25));
  const auto odd = (quadrant == V(1)) | (quadrant == V(3));
  const V first = select(odd, c, s), second = select(odd, s, c);
  sine = select(quadrant >= V(2), -first, first);
  cosine = select((quadrant == V(1)) | (quadrant == V(2)), -second, second);
}

template <class V>
FLOW_FORMULA V sin(V x) {
  V s, c;
  sin_cos(x, s, c);
  return s;
}
template <class V>
FLOW_FORMULA V cos(V x) {
  V s, c;
  sin_cos(x, s, c);
  return c;
}

}  // namespace flow::FLOW_ISA
