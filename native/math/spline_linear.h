// Piecewise linear maps of bins of one width: Müller, McWilliams, Rousselle, Gross, Novák, "Neural Importance Sampling", 2019, section
// 4.3. See spline.h.
#pragma once

#include "math/spline_parts.h"

namespace flow::FLOW_ISA {

template <>
struct SplineForm<SplineKind::linear> {
  template <class V, class P, class Rows>
  static FLOW_FORMULA void knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
    spline_heights<V>(SplineKind::linear, s, p, a);
  }

  template <class V>
  static FLOW_FORMULA void value(const SplineBin<V>& b, V t, V& rise, V& slope) {
    rise = b.h * t;
    slope = b.h / b.w;
  }

  template <class V>
  static FLOW_FORMULA V solve(const SplineShape&, const SplineBin<V>& b, V rise) {
    return rise / b.h;
  }

  template <class V>
  static FLOW_FORMULA SplineBinGradient<V> backward(const SplineBin<V>& b, V t, V gy, V gl) {
    return {gy * b.h, -gl / b.w, gy * t + gl / b.h, V(0), V(0)};
  }

  template <class V, class P, class Rows, class Out>
  static FLOW_FORMULA void knots_backward(const SplineShape& s, const P&, const SplineRows<Rows>& a, const Out& dp) {
    spline_heights_backward<V>(SplineKind::linear, s, a, dp);
  }
};

}  // namespace flow::FLOW_ISA
