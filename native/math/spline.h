// Monotone splines of one variable, with bins that a network makes (docs/maths.md, section "Splines"):
//
//   rational quadratic  Durkan, Bekasov, Murray, Papamakarios, "Neural Spline Flows", 2019, eqs. 4–8 (Gregory, Delbourgo 1982)
//   quadratic, linear   Müller, McWilliams, Rousselle, Gross, Novák, "Neural Importance Sampling", 2019, sections 4.3–4.4
//   cubic               Durkan, Bekasov, Murray, Papamakarios, "Cubic-Spline Flows", 2019 (Steffen 1990)
//
// on the box [left, right] in both variables. Numbers of a feature, side by side: widths [K] (but for linear), heights [K] (but
// for quadratic), and what is said of the slopes at the knots: see slope_of.
//
// Outside of the box: `linear` tails are the identity; `learned` ones go on straight with the slope at the end; `circular` is
// periodic, f(x + right − left) = f(x) + right − left. Every branch is computed inside of the box and selected, so that what is
// not taken is finite too, in its gradients as well.
#pragma once

#include "math/spline_cubic.h"
#include "math/spline_linear.h"
#include "math/spline_parts.h"
#include "math/spline_quadratic.h"
#include "math/spline_rational.h"

namespace flow::FLOW_ISA {

// Fractions, knots and slopes of an element.
template <SplineKind kind, class V, class P, class Rows>
FLOW_FORMULA void spline_knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
  if constexpr (kind == SplineKind::linear) {
    for (int64_t k = 0; k < s.bins; ++k) a.widths.set(k, V(1.0 / static_cast<double>(s.bins)));
  } else {
    spline_fractions<V>(p, 0, s.bins, s.min_width, a.widths);
  }
  spline_cumulate<V>(s, a.widths, a.x);
  SplineForm<kind>::template knots<V>(s, p, a);
}

// The bin of `at` among the knots of one direction.
template <SplineKind kind, class V, class Rows>
FLOW_FORMULA SplineBin<V> spline_find(const SplineShape& s, const SplineRows<Rows>& a, const Rows& knots, V at) {
  SplineBin<V> bin;
  V x1 = a.x.get(1), y1 = a.y.get(1);
  bin.index = V(0);
  bin.x = a.x.get(0);
  bin.y = a.y.get(0);
  bin.raw0 = kind == SplineKind::linear ? V(0) : a.slope.get(0);
  bin.raw1 = kind == SplineKind::linear ? V(0) : a.slope.get(1);
  for (int64_t k = 1; k < s.bins; ++k) {
    const auto beyond = at >= knots.get(k);
    bin.index = select(beyond, V(static_cast<double>(k)), bin.index);
    bin.x = select(beyond, a.x.get(k), bin.x);
    bin.y = select(beyond, a.y.get(k), bin.y);
    x1 = select(beyond, a.x.get(k + 1), x1);
    y1 = select(beyond, a.y.get(k + 1), y1);
    if constexpr (kind != SplineKind::linear) {
      bin.raw0 = select(beyond, a.slope.get(k), bin.raw0);
      bin.raw1 = select(beyond, a.slope.get(k + 1), bin.raw1);
    }
  }
  bin.w = x1 - bin.x;
  bin.h = y1 - bin.y;
  const bool opens = kind == SplineKind::rational_quadratic;
  bin.v0 = opens ? open_slope(s, bin.raw0) : bin.raw0;
  bin.v1 = opens ? open_slope(s, bin.raw1) : bin.raw1;
  return bin;
}

// Where an argument stands: `inside` the box, what is beyond it, and the periods that were taken off.
template <class V>
struct SplinePlace {
  V at, beyond, turns;
};
template <class V>
FLOW_FORMULA SplinePlace<V> spline_place(const SplineShape& s, V x) {
  const V left(s.left), right(s.right);
  if (s.tails == SplineTails::circular) {
    const V turns = floor((x - left) * V(1 / (s.right - s.left))) * V(s.right - s.left);
    const V at = max(left, min(right, x - turns));
    return {at, V(0), turns};
  }
  const V at = max(left, min(right, x));
  return {at, x - at, V(0)};
}

// One element: out and log|d out/d in| of either direction. `a` holds the knots.
template <SplineKind kind, bool inverse, class V, class Rows>
FLOW_FORMULA void spline_element(const SplineShape& s, const SplineRows<Rows>& a, V in, V& out, V& log_slope) {
  const SplinePlace<V> place = spline_place(s, in);
  const SplineBin<V> bin = spline_find<kind>(s, a, inverse ? a.y : a.x, place.at);
  V rise, slope;
  if (inverse) {
    const V t = min(V(1), max(V(0), SplineForm<kind>::solve(s, bin, place.at - bin.y)));
    SplineForm<kind>::value(bin, t, rise, slope);
    out = bin.x + t * bin.w + place.turns;
  } else {
    SplineForm<kind>::value(bin, (place.at - bin.x) / bin.w, rise, slope);
    out = bin.y + rise + place.turns;
  }
  log_slope = log(slope);
  if (s.tails == SplineTails::learned) {
    out = out + (inverse ? place.beyond / slope : place.beyond * slope);
  } else if (s.tails == SplineTails::linear) {
    const auto inside = place.beyond == V(0);
    out = select(inside, out, in);
    log_slope = select(inside, log_slope, V(0));
  }
  if (inverse) log_slope = -log_slope;
}

// Backward of one element at x, the input of the forward direction and the output of the inverse, for the gradients by the
// output and by the log-slope of the direction: gradient by the input of the direction; all of dp is set.
template <SplineKind kind, bool inverse, class V, class P, class Rows, class Out>
FLOW_FORMULA V spline_backward(const SplineShape& s, const P& p, const SplineRows<Rows>& a, V x, V d_out, V d_log, const Out& dp) {
  const int64_t bins = s.bins;
  const SplinePlace<V> place = spline_place(s, x);
  const SplineBin<V> bin = spline_find<kind>(s, a, a.x, place.at);
  const V t = (place.at - bin.x) / bin.w, zero(0);
  const auto inside = place.beyond == V(0);
  V rise, slope;
  SplineForm<kind>::value(bin, t, rise, slope);
  // By y and by log slope of the forward map: of the inverse by the implicit function theorem.
  V gy = d_out, gl = d_log, d_in;
  if (inverse) {
    // What the log-slope sends to x inside of the box, where alone it changes.
    const V through = select(inside, SplineForm<kind>::backward(bin, t, zero, d_log).t / bin.w, zero);
    const V straight = s.tails == SplineTails::linear ? V(1) : slope;
    d_in = (d_out - through) / select(inside, slope, straight);
    gy = -d_in;
    gl = -d_log;
  }
  if (s.tails == SplineTails::learned) gl = gl + gy * place.beyond * slope;
  if (s.tails == SplineTails::linear) {
    gy = select(inside, gy, zero);
    gl = select(inside, gl, zero);
  }
  const SplineBinGradient<V> g = SplineForm<kind>::backward(bin, t, gy, gl);
  const V gt = select(inside, g.t / bin.w, zero);
  if (!inverse) d_in = select(inside, gt, s.tails == SplineTails::linear ? d_out : d_out * slope);

  // To the knots of the bin: by x_k and x_{k+1}, y_k and y_{k+1}.
  [[maybe_unused]] const V area = kind == SplineKind::quadratic ? a.d_slope.get(0) : zero;  // kept by its knots
  const V gw = g.w - gt * t, x0 = -gt - gw, y0 = gy - g.h;
  V g0 = g.v0, g1 = g.v1;
  if constexpr (kind == SplineKind::rational_quadratic) {
    g0 = g0 * open_slope_slope(s, bin.raw0);
    g1 = g1 * open_slope_slope(s, bin.raw1);
  }
  for (int64_t k = 0; k <= bins; ++k) {
    const auto first = bin.index == V(static_cast<double>(k)), second = bin.index == V(static_cast<double>(k - 1));
    const auto place_at = [&](V at_first, V at_second) { return select(first, at_first, select(second, at_second, zero)); };
    a.d_x.set(k, place_at(x0, gw));
    a.d_y.set(k, place_at(y0, g.h));
    if constexpr (kind != SplineKind::linear) a.d_slope.set(k, place_at(g0, g1));
  }

  for (int64_t k = 0; k < bins; ++k) {
    a.d_width.set(k, zero);
    a.d_height.set(k, zero);
  }
  if constexpr (kind == SplineKind::quadratic)
    SplineForm<kind>::template knots_backward<V>(s, p, a, area, dp);
  else
    SplineForm<kind>::template knots_backward<V>(s, p, a, dp);
  if constexpr (kind != SplineKind::linear) {
    spline_cumulate_backward<V>(s, a.d_x, a.d_width);
    spline_fractions_backward<V>(a.widths, a.d_width, 0, bins, s.min_width, dp);
  }
  return d_in;
}


}  // namespace flow::FLOW_ISA
