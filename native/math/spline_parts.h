// What all splines are made of: their shape, fractions of the box and knots from numbers of any size, a bin and its gradients.
// Each kind is a SplineForm: spline_linear.h, spline_quadratic.h, spline_rational.h, spline_cubic.h; spline.h puts them together.
//
// V is a register of lanes, float or double, one lane an element. An array of numbers an element is a Rows: get(i), set(i, V).
#pragma once

#include "math/formula.h"

namespace flow::FLOW_ISA {

enum class SplineKind : int { rational_quadratic = 0, quadratic = 1, linear = 2, cubic = 3 };
enum class SplineTails : int { linear = 0, learned = 1, circular = 2 };

struct SplineShape {
  SplineTails tails;
  int64_t bins;
  double left, right, min_width, min_height, min_slope;
  double shift;      // softplus(shift) = 1 − min_slope
  double tolerance;  // of θ in the roots of a cubic: eps

  // Where the heights and the numbers of the slopes begin.
  FLOW_FORMULA int64_t heights(SplineKind kind) const { return kind == SplineKind::linear ? 0 : bins; }
  FLOW_FORMULA int64_t slopes(SplineKind kind) const {
    return kind == SplineKind::rational_quadratic || kind == SplineKind::cubic ? 2 * bins : bins;
  }
  // Which number says the slope at knot k: −1 for none.
  FLOW_FORMULA int64_t slope_of(SplineKind kind, int64_t k) const {
    const int64_t first = slopes(kind), ends = k == 0 ? 0 : k == bins ? 1 : -1;
    if (kind == SplineKind::linear) return -1;
    if (kind == SplineKind::cubic) return tails == SplineTails::learned && ends >= 0 ? first + ends : -1;
    if (tails == SplineTails::learned) return first + k;
    if (tails == SplineTails::circular) return first + (k == bins ? 0 : k);
    return ends >= 0 ? -1 : first + k - 1;
  }
  // P, numbers of a feature.
  FLOW_FORMULA int64_t count(SplineKind kind) const {
    if (kind == SplineKind::linear) return bins;
    if (kind == SplineKind::cubic) return 2 * bins + (tails == SplineTails::learned ? 2 : 0);
    return slopes(kind) + (tails == SplineTails::learned ? bins + 1 : tails == SplineTails::circular ? bins : bins - 1);
  }
};

// The least fraction of the box that a bin has whatever is asked for: the knots are sums that are rounded, and the last one is the end
// itself, so that a bin without width or height would be empty, or turned around.
FLOW_FORMULA double spline_least(int64_t bins, double eps) { return 2 * static_cast<double>(bins + 8) * eps; }

// The arrays of an element: fractions of the box [K], knots and slopes at them [K + 1], and their gradients.
template <class Rows>
struct SplineRows {
  Rows widths, heights, x, y, slope;   // of spline_knots
  Rows d_width, d_height, d_x, d_y, d_slope;  // of spline_backward
};
inline constexpr int64_t spline_arrays = 10;

// A positive slope of a raw number: 1 at 0, at least the smallest.
template <class V>
FLOW_FORMULA V open_slope(const SplineShape& s, V raw) {
  return V(s.min_slope) + softplus(raw + V(s.shift));
}
template <class V>
FLOW_FORMULA V open_slope_slope(const SplineShape& s, V raw) {
  return sigmoid(raw + V(s.shift));
}

// least + (1 − K·least)·softmax of the numbers from `first`.
template <class V, class P, class Rows>
FLOW_FORMULA void spline_fractions(const P& p, int64_t first, int64_t bins, double least, const Rows& to) {
  V most = p.get(first), sum(0);
  for (int64_t k = 1; k < bins; ++k) most = max(most, p.get(first + k));
  for (int64_t k = 0; k < bins; ++k) {
    const V e = exp(p.get(first + k) - most);
    to.set(k, e);
    sum = sum + e;
  }
  const V scale = V(1 - static_cast<double>(bins) * least) / sum;
  for (int64_t k = 0; k < bins; ++k) to.set(k, V(least) + to.get(k) * scale);
}
// From the gradient by the fractions, in `d`, to that by the numbers.
template <class V, class Rows, class Out>
FLOW_FORMULA void spline_fractions_backward(const Rows& fractions, const Rows& d, int64_t first, int64_t bins, double least,
                                            const Out& dp) {
  const double scale = 1 - static_cast<double>(bins) * least;
  const V inverse(1 / scale);
  V mean(0);
  for (int64_t k = 0; k < bins; ++k) mean = mean + (fractions.get(k) - V(least)) * inverse * d.get(k);
  for (int64_t k = 0; k < bins; ++k) dp.set(first + k, (fractions.get(k) - V(least)) * (d.get(k) - mean));
}

// Knots of fractions: the last one is the end exactly.
template <class V, class Rows>
FLOW_FORMULA void spline_cumulate(const SplineShape& s, const Rows& fractions, const Rows& knots) {
  V at(s.left);
  knots.set(0, at);
  for (int64_t k = 1; k < s.bins; ++k) {
    at = at + V(s.right - s.left) * fractions.get(k - 1);
    knots.set(k, at);
  }
  knots.set(s.bins, V(s.right));
}
// d_fraction += what the inner knots send.
template <class V, class Rows>
FLOW_FORMULA void spline_cumulate_backward(const SplineShape& s, const Rows& d_knots, const Rows& d_fractions) {
  V sum(0);
  for (int64_t k = s.bins - 1; k > 0; --k) {
    sum = sum + d_knots.get(k);
    d_fractions.set(k - 1, d_fractions.get(k - 1) + V(s.right - s.left) * sum);
  }
}

// A bin: its left knot, size, and the slopes at its two knots (raw: those of a rational quadratic before they were opened).
template <class V>
struct SplineBin {
  V index, x, y, w, h, v0, v1, raw0, raw1;
};

// Gradients of gy·y + gl·log slope by θ, w, h and the two slopes; that by y_k is gy.
template <class V>
struct SplineBinGradient {
  V t, w, h, v0, v1;
};

// A kind of spline, static functions:
//   knots           heights, knots in y and slopes at the knots, of the numbers and the widths
//   value           y − y_k at θ = (x − x_k)/w, and the slope there
//   solve           θ, about in [0, 1], of a rise from y_k
//   backward        a SplineBinGradient
//   knots_backward  from the gradients by knots and slopes to those by the fractions and the slopes' numbers
template <SplineKind kind>
struct SplineForm;

// Heights of a kind that has numbers for them.
template <class V, class P, class Rows>
FLOW_FORMULA void spline_heights(SplineKind kind, const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
  spline_fractions<V>(p, s.heights(kind), s.bins, s.min_height, a.heights);
  spline_cumulate<V>(s, a.heights, a.y);
}
template <class V, class Rows, class Out>
FLOW_FORMULA void spline_heights_backward(SplineKind kind, const SplineShape& s, const SplineRows<Rows>& a, const Out& dp) {
  spline_cumulate_backward<V>(s, a.d_y, a.d_height);
  spline_fractions_backward<V>(a.heights, a.d_height, s.heights(kind), s.bins, s.min_height, dp);
}

}  // namespace flow::FLOW_ISA
