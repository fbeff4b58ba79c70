// Splines whose slope is piecewise linear: Müller, McWilliams, Rousselle, Gross, Novák, "Neural Importance Sampling", 2019, section 4.4.
// Heights follow from widths and slopes. See spline.h.
#pragma once

#include "math/spline_parts.h"

namespace flow::FLOW_ISA {

template <>
struct SplineForm<SplineKind::quadratic> {
  template <class V, class P, class Rows>
  static FLOW_FORMULA void knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
    constexpr SplineKind kind = SplineKind::quadratic;
    const int64_t bins = s.bins;
    // Slopes u at the knots, over the area A under them: the ends of linear tails are A itself, so that they become 1.
    V area(0);
    for (int64_t k = 0; k <= bins; ++k) {
      const int64_t from = s.slope_of(kind, k);
      a.slope.set(k, from < 0 ? V(0) : open_slope(s, p.get(from)));
    }
    for (int64_t k = 0; k < bins; ++k) area = area + V(0.5) * a.widths.get(k) * (a.slope.get(k) + a.slope.get(k + 1));
    if (s.tails == SplineTails::linear) {
      area = bins == 1 ? V(1) : area / (V(1) - V(0.5) * (a.widths.get(0) + a.widths.get(bins - 1)));
      a.slope.set(0, area);
      a.slope.set(bins, area);
    }
    for (int64_t k = 0; k <= bins; ++k) a.slope.set(k, a.slope.get(k) / area);
    for (int64_t k = 0; k < bins; ++k)
      a.heights.set(k, V(0.5) * a.widths.get(k) * (a.slope.get(k) + a.slope.get(k + 1)));
    spline_cumulate<V>(s, a.heights, a.y);
    a.d_slope.set(0, area);  // for the backward pass
  }

  template <class V>
  static FLOW_FORMULA void value(const SplineBin<V>& b, V t, V& rise, V& slope) {
    const V r = V(1) - t;
    rise = b.w * t * (b.v0 + V(0.5) * t * (b.v1 - b.v0));
    slope = b.v0 * r + b.v1 * t;
  }

  template <class V>
  static FLOW_FORMULA V solve(const SplineShape&, const SplineBin<V>& b, V rise) {
    const V u = rise / b.w;
    return V(2) * u / (b.v0 + sqrt(max(V(0), b.v0 * b.v0 + V(2) * (b.v1 - b.v0) * u)));
  }

  template <class V>
  static FLOW_FORMULA SplineBinGradient<V> backward(const SplineBin<V>& b, V t, V gy, V gl) {
    const V r = V(1) - t, slope = b.v0 * r + b.v1 * t, g = gl / slope, half = V(0.5) * t * t;
    return {gy * b.w * slope + g * (b.v1 - b.v0), gy * (b.v0 * (t - half) + b.v1 * half), V(0), gy * b.w * (t - half) + g * r,
            gy * b.w * half + g * t};
  }

  template <class V, class P, class Rows, class Out>
  static FLOW_FORMULA void knots_backward(const SplineShape& s, const P& p, const SplineRows<Rows>& a, V area,
                                             const Out& dp) {
    constexpr SplineKind kind = SplineKind::quadratic;
    const int64_t bins = s.bins;
    const V zero(0);
    // heights_k = w_k·(v_k + v_{k+1})/2, v = u/A.
    spline_cumulate_backward<V>(s, a.d_y, a.d_height);
    for (int64_t k = 0; k < bins; ++k) {
      const V d = V(0.5) * a.d_height.get(k), by_slope = d * a.widths.get(k);
      a.d_width.set(k, d * (a.slope.get(k) + a.slope.get(k + 1)));
      a.d_slope.set(k, a.d_slope.get(k) + by_slope);
      a.d_slope.set(k + 1, a.d_slope.get(k + 1) + by_slope);
    }
    const bool fixed_ends = s.tails == SplineTails::linear;
    const int64_t from = fixed_ends ? 1 : 0, to = fixed_ends ? bins - 1 : bins;
    V d_area(0);
    for (int64_t k = from; k <= to; ++k) d_area = d_area - a.d_slope.get(k) * a.slope.get(k);
    d_area = d_area / area;  // by A, at fixed u
    // A = Σ w·(u + u)/2, over 1 − (w_0 + w_{K−1})/2 where the ends are A.
    const V over = fixed_ends && bins > 1 ? V(1) / (V(1) - V(0.5) * (a.widths.get(0) + a.widths.get(bins - 1))) : V(1);
    const V sent = V(0.5) * d_area * over;
    const auto u = [&](int64_t k) { return a.slope.get(k) * area; };
    if (!(fixed_ends && bins == 1)) {
      for (int64_t k = 0; k < bins; ++k) a.d_width.set(k, a.d_width.get(k) + sent * (u(k) + u(k + 1)));
    }
    for (int64_t k = from; k <= to; ++k) {
      const V left = k > 0 ? a.widths.get(k - 1) : zero, right = k < bins ? a.widths.get(k) : zero;
      const V du = a.d_slope.get(k) / area + sent * (left + right);
      const int64_t at = s.slope_of(kind, k);
      const V raw = du * open_slope_slope(s, p.get(at));
      const bool again = s.tails == SplineTails::circular && k == bins;
      dp.set(at, again ? dp.get(at) + raw : raw);
    }
  }
};

}  // namespace flow::FLOW_ISA
