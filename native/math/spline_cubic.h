// Monotone cubic splines: Durkan, Bekasov, Murray, Papamakarios, "Cubic-Spline Flows", 2019, with the slopes of Steffen 1990. The
// inverse is by Newton's method. See spline.h.
#pragma once

#include "math/spline_parts.h"

namespace flow::FLOW_ISA {

template <>
struct SplineForm<SplineKind::cubic> {
  template <class V, class P, class Rows>
  static FLOW_FORMULA void knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
    constexpr SplineKind kind = SplineKind::cubic;
    const int64_t bins = s.bins;
    spline_heights<V>(kind, s, p, a);
    // Steffen's slopes: twice the least of both neighbours and half of the parabola through the three knots.
    const auto width = [&](int64_t k) { return a.x.get(k + 1) - a.x.get(k); };
    const auto secant = [&](int64_t k) { return (a.y.get(k + 1) - a.y.get(k)) / width(k); };
    const auto inner = [&](int64_t before, int64_t after) {
      const V wa = width(before), wb = width(after), sa = secant(before), sb = secant(after);
      return min(V(2) * min(sa, sb), (sa * wb + sb * wa) / (wa + wb));
    };
    for (int64_t k = 1; k < bins; ++k) a.slope.set(k, inner(k - 1, k));
    for (int64_t k = 0; k <= bins; k += bins) {
      const V steepest = V(3) * secant(k == 0 ? 0 : bins - 1);
      const int64_t from = s.slope_of(kind, k);
      a.slope.set(k, s.tails == SplineTails::circular ? inner(bins - 1, 0)
                     : from < 0                       ? min(V(1), steepest)
                                                      : steepest * sigmoid(p.get(from)));
    }
  }

  template <class V>
  static FLOW_FORMULA void value(const SplineBin<V>& b, V t, V& rise, V& slope) {
    const V s = b.h / b.w, c2 = V(3) * s - V(2) * b.v0 - b.v1, c3 = b.v0 + b.v1 - V(2) * s;
    rise = b.w * t * (b.v0 + t * (c2 + t * c3));
    slope = b.v0 + t * (V(2) * c2 + V(3) * t * c3);
  }

  template <class V>
  static FLOW_FORMULA V solve(const SplineShape& s, const SplineBin<V>& b, V rise) {
    // Newton's steps inside of a bracket that is halved where they leave it: to the last digit. A lane that has its root stands
    // still: what it gets does not depend on its neighbours.
    V low(0), high(1);
    V t = rise / b.h;
    V before(1);
    auto open = low < high;
    for (int k = 0; k < 80 && any(open); ++k) {
      V at, slope;
      value(b, t, at, slope);
      const V miss = at - rise;
      low = select(miss <= V(0), t, low);
      high = select(miss >= V(0), t, high);
      const V step = miss / slope, newton = t - step;
      const auto good = (newton >= low) & (newton <= high) & (abs(step) + abs(step) <= before);
      const V next = select(good, newton, V(0.5) * (low + high));
      before = abs(next - t);
      t = select(open, next, t);
      open = open & (before > V(s.tolerance));
    }
    return t;
  }

  template <class V>
  static FLOW_FORMULA SplineBinGradient<V> backward(const SplineBin<V>& b, V t, V gy, V gl) {
    const V r = V(1) - t, s = b.h / b.w, c2 = V(3) * s - V(2) * b.v0 - b.v1, c3 = b.v0 + b.v1 - V(2) * s;
    const V slope = b.v0 + t * (V(2) * c2 + V(3) * t * c3), g = gl / slope, gr = gy * b.w, tt = t * t;
    const V gs = gr * tt * (V(3) - V(2) * t) + g * V(6) * t * r;
    return {gr * slope + g * (V(2) * c2 + V(6) * t * c3), gy * t * (b.v0 + t * (c2 + t * c3)) - gs * s / b.w, gs / b.w,
            gr * t * r * r + g * r * (V(1) - V(3) * t), -gr * tt * r + g * t * (V(3) * t - V(2))};
  }

  template <class V, class P, class Rows, class Out>
  static FLOW_FORMULA void knots_backward(const SplineShape& s, const P& p, const SplineRows<Rows>& a, const Out& dp) {
    constexpr SplineKind kind = SplineKind::cubic;
    const int64_t bins = s.bins;
    const V zero(0);
    const auto width = [&](int64_t k) { return a.x.get(k + 1) - a.x.get(k); };
    const auto secant = [&](int64_t k) { return (a.y.get(k + 1) - a.y.get(k)) / width(k); };
    const auto add = [](const Rows& to, int64_t k, V d) { to.set(k, to.get(k) + d); };
    const auto add_width = [&](int64_t k, V d) { add(a.d_x, k + 1, d), add(a.d_x, k, -d); };
    const auto add_secant = [&](int64_t k, V d) {
      const V w = width(k), by_h = d / w;
      add(a.d_y, k + 1, by_h), add(a.d_y, k, -by_h);
      add_width(k, -by_h * secant(k));
    };
    const auto inner = [&](int64_t before, int64_t after, V d) {
      const V wa = width(before), wb = width(after), sa = secant(before), sb = secant(after);
      const V over = V(1) / (wa + wb), parabola = (sa * wb + sb * wa) * over;
      const auto is_parabola = parabola <= V(2) * min(sa, sb), is_a = sa <= sb;
      const V dp_ = select(is_parabola, d, zero), twice = select(is_parabola, zero, V(2) * d);
      add_secant(before, select(is_a, twice, zero) + dp_ * wb * over);
      add_secant(after, select(is_a, zero, twice) + dp_ * wa * over);
      add_width(before, dp_ * (sb - parabola) * over);
      add_width(after, dp_ * (sa - parabola) * over);
    };
    if (s.tails == SplineTails::circular) {
      inner(bins - 1, 0, a.d_slope.get(0) + a.d_slope.get(bins));
    } else {
      for (int64_t k = 0; k <= bins; k += bins) {
        const int64_t from = s.slope_of(kind, k), at = k == 0 ? 0 : bins - 1;
        const V d = a.d_slope.get(k), steepest = V(3) * secant(at);
        if (from < 0) {
          add_secant(at, select(steepest < V(1), V(3) * d, zero));
        } else {
          const V part = sigmoid(p.get(from));
          add_secant(at, V(3) * d * part);
          dp.set(from, d * steepest * part * (V(1) - part));
        }
      }
    }
    for (int64_t k = 1; k < bins; ++k) inner(k - 1, k, a.d_slope.get(k));
    spline_heights_backward<V>(kind, s, a, dp);
  }
};

}  // namespace flow::FLOW_ISA
