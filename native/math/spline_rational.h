// Rational quadratic splines: Durkan, Bekasov, Murray, Papamakarios, "Neural Spline Flows", 2019, eqs. 4–8 (Gregory, Delbourgo 1982).
// Slopes at the knots stay raw numbers until they are those of an element's bin: two of them are opened. See spline.h.
#pragma once

#include "math/spline_parts.h"

namespace flow::FLOW_ISA {

template <>
struct SplineForm<SplineKind::rational_quadratic> {
  template <class V, class P, class Rows>
  static FLOW_FORMULA void knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
    spline_heights<V>(SplineKind::rational_quadratic, s, p, a);
    for (int64_t k = 0; k <= s.bins; ++k) {
      const int64_t from = s.slope_of(SplineKind::rational_quadratic, k);
      a.slope.set(k, from < 0 ? V(0) : p.get(from));  // open_slope(0) = 1: the slope of linear tails
    }
  }

  template <class V>
  static FLOW_FORMULA void value(const SplineBin<V>& b, V t, V& rise, V& slope) {
    const V r = V(1) - t, s = b.h / b.w, q = t * r, d = s + (b.v0 + b.v1 - V(2) * s) * q;
    const V ratio = s / d;
    rise = b.h * (s * t * t + b.v0 * q) / d;
    slope = ratio * ratio * (b.v1 * t * t + V(2) * s * q + b.v0 * r * r);
  }

  template <class V>
  static FLOW_FORMULA V solve(const SplineShape&, const SplineBin<V>& b, V rise) {
    const V m = b.h / b.w, sum = b.v0 + b.v1 - V(2) * m;
    const V qa = b.h * (m - b.v0) + rise * sum, qb = b.h * b.v0 - rise * sum, qc = -m * rise;
    return V(2) * qc / (-qb - sqrt(max(V(0), qb * qb - V(4) * qa * qc)));
  }

  template <class V>
  static FLOW_FORMULA SplineBinGradient<V> backward(const SplineBin<V>& b, V t, V gy, V gl) {
    // y − y_k = h·n/d, slope = s²·m/d²
    const V r = V(1) - t, s = b.h / b.w, q = t * r, sum = b.v0 + b.v1 - V(2) * s, turn = r - t;
    const V n = s * t * t + b.v0 * q, d = s + sum * q, m = b.v1 * t * t + V(2) * s * q + b.v0 * r * r;
    const V over = V(1) / d, gn = gy * b.h * over, gm = gl / m, gd = -(gn * n + V(2) * gl) * over;
    const V gt = gn * (V(2) * s * t + b.v0 * turn) + gd * sum * turn + gm * V(2) * (b.v1 * t + s * turn - b.v0 * r);
    const V gs = gn * t * t + gd * (V(1) - V(2) * q) + gm * V(2) * q + V(2) * gl / s;
    return {gt, -gs * s / b.w, gy * n * over + gs / b.w, (gn + gd) * q + gm * r * r, gd * q + gm * t * t};
  }

  template <class V, class P, class Rows, class Out>
  static FLOW_FORMULA void knots_backward(const SplineShape& s, const P&, const SplineRows<Rows>& a, const Out& dp) {
    const bool wraps = s.tails == SplineTails::circular;
    for (int64_t k = 0; k <= s.bins; ++k) {
      const int64_t to = s.slope_of(SplineKind::rational_quadratic, k);
      if (to < 0 || (wraps && k == s.bins)) continue;
      dp.set(to, wraps && k == 0 ? a.d_slope.get(0) + a.d_slope.get(s.bins) : a.d_slope.get(k));
    }
    spline_heights_backward<V>(SplineKind::rational_quadratic, s, a, dp);
  }
};

}  // namespace flow::FLOW_ISA
