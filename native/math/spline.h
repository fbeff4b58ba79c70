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

// Slopes of a rational quadratic stay raw numbers here: two of an element are opened, those of its bin.
template <SplineKind kind, class V, class P, class Rows>
FLOW_FORMULA void spline_knots(const SplineShape& s, const P& p, const SplineRows<Rows>& a) {
  const int64_t bins = s.bins;
  if constexpr (kind == SplineKind::linear) {
    for (int64_t k = 0; k < bins; ++k) a.widths.set(k, V(1.0 / static_cast<double>(bins)));
  } else {
    spline_fractions<V>(p, 0, bins, s.min_width, a.widths);
  }
  spline_cumulate<V>(s, a.widths, a.x);
  if constexpr (kind == SplineKind::quadratic) {
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
    return;
  }
  spline_fractions<V>(p, s.heights(kind), bins, s.min_height, a.heights);
  spline_cumulate<V>(s, a.heights, a.y);
  if constexpr (kind == SplineKind::rational_quadratic) {
    for (int64_t k = 0; k <= bins; ++k) {
      const int64_t from = s.slope_of(kind, k);
      a.slope.set(k, from < 0 ? V(0) : p.get(from));  // open_slope(0) = 1: the slope of linear tails
    }
  }
  if constexpr (kind == SplineKind::cubic) {
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
}

// A bin: its left knot, size, and the slopes at its two knots (raw: those of a rational quadratic before they were opened).
template <class V>
struct SplineBin {
  V index, x, y, w, h, v0, v1, raw0, raw1;
};
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

// y − y_k at θ = (x − x_k)/w, and the slope there.
template <SplineKind kind, class V>
FLOW_FORMULA void spline_value(const SplineBin<V>& b, V t, V& rise, V& slope) {
  const V r = V(1) - t;
  if constexpr (kind == SplineKind::linear) {
    rise = b.h * t;
    slope = b.h / b.w;
  } else if constexpr (kind == SplineKind::quadratic) {
    rise = b.w * t * (b.v0 + V(0.5) * t * (b.v1 - b.v0));
    slope = b.v0 * r + b.v1 * t;
  } else if constexpr (kind == SplineKind::rational_quadratic) {
    const V s = b.h / b.w, q = t * r, d = s + (b.v0 + b.v1 - V(2) * s) * q;
    const V ratio = s / d;
    rise = b.h * (s * t * t + b.v0 * q) / d;
    slope = ratio * ratio * (b.v1 * t * t + V(2) * s * q + b.v0 * r * r);
  } else {
    const V s = b.h / b.w, c2 = V(3) * s - V(2) * b.v0 - b.v1, c3 = b.v0 + b.v1 - V(2) * s;
    rise = b.w * t * (b.v0 + t * (c2 + t * c3));
    slope = b.v0 + t * (V(2) * c2 + V(3) * t * c3);
  }
}

// θ in [0, 1] of a rise from y_k.
template <SplineKind kind, class V>
FLOW_FORMULA V spline_solve(const SplineShape& s, const SplineBin<V>& b, V rise) {
  V t;
  if constexpr (kind == SplineKind::linear) {
    t = rise / b.h;
  } else if constexpr (kind == SplineKind::quadratic) {
    const V u = rise / b.w;
    t = V(2) * u / (b.v0 + sqrt(max(V(0), b.v0 * b.v0 + V(2) * (b.v1 - b.v0) * u)));
  } else if constexpr (kind == SplineKind::rational_quadratic) {
    const V m = b.h / b.w, sum = b.v0 + b.v1 - V(2) * m;
    const V qa = b.h * (m - b.v0) + rise * sum, qb = b.h * b.v0 - rise * sum, qc = -m * rise;
    t = V(2) * qc / (-qb - sqrt(max(V(0), qb * qb - V(4) * qa * qc)));
  } else {
    // Newton's steps inside of a bracket that is halved where they leave it: to the last digit. A lane that has its root stands
    // still: what it gets does not depend on its neighbours.
    V low(0), high(1);
    t = rise / b.h;
    V before(1);
    auto open = low < high;
    for (int k = 0; k < 80 && any(open); ++k) {
      V at, slope;
      spline_value<kind>(b, t, at, slope);
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
  }
  return min(V(1), max(V(0), t));
}

// Gradients of gy·y + gl·log slope by θ, w, h and the two slopes; that by y_k is gy.
template <class V>
struct SplineBinGradient {
  V t, w, h, v0, v1;
};
template <SplineKind kind, class V>
FLOW_FORMULA SplineBinGradient<V> spline_bin_backward(const SplineBin<V>& b, V t, V gy, V gl) {
  const V r = V(1) - t, zero(0);
  if constexpr (kind == SplineKind::linear) {
    return {gy * b.h, -gl / b.w, gy * t + gl / b.h, zero, zero};
  } else if constexpr (kind == SplineKind::quadratic) {
    const V slope = b.v0 * r + b.v1 * t, g = gl / slope, half = V(0.5) * t * t;
    return {gy * b.w * slope + g * (b.v1 - b.v0), gy * (b.v0 * (t - half) + b.v1 * half), zero, gy * b.w * (t - half) + g * r,
            gy * b.w * half + g * t};
  } else if constexpr (kind == SplineKind::rational_quadratic) {
    // y − y_k = h·n/d, slope = s²·m/d²
    const V s = b.h / b.w, q = t * r, sum = b.v0 + b.v1 - V(2) * s, turn = r - t;
    const V n = s * t * t + b.v0 * q, d = s + sum * q, m = b.v1 * t * t + V(2) * s * q + b.v0 * r * r;
    const V over = V(1) / d, gn = gy * b.h * over, gm = gl / m, gd = -(gn * n + V(2) * gl) * over;
    const V gt = gn * (V(2) * s * t + b.v0 * turn) + gd * sum * turn + gm * V(2) * (b.v1 * t + s * turn - b.v0 * r);
    const V gs = gn * t * t + gd * (V(1) - V(2) * q) + gm * V(2) * q + V(2) * gl / s;
    return {gt, -gs * s / b.w, gy * n * over + gs / b.w, (gn + gd) * q + gm * r * r, gd * q + gm * t * t};
  } else {
    const V s = b.h / b.w, c2 = V(3) * s - V(2) * b.v0 - b.v1, c3 = b.v0 + b.v1 - V(2) * s;
    const V slope = b.v0 + t * (V(2) * c2 + V(3) * t * c3), g = gl / slope, gr = gy * b.w, tt = t * t;
    const V gs = gr * tt * (V(3) - V(2) * t) + g * V(6) * t * r;
    return {gr * slope + g * (V(2) * c2 + V(6) * t * c3), gy * t * (b.v0 + t * (c2 + t * c3)) - gs * s / b.w, gs / b.w,
            gr * t * r * r + g * r * (V(1) - V(3) * t), -gr * tt * r + g * t * (V(3) * t - V(2))};
  }
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
    const V t = spline_solve<kind>(s, bin, place.at - bin.y);
    spline_value<kind>(bin, t, rise, slope);
    out = bin.x + t * bin.w + place.turns;
  } else {
    spline_value<kind>(bin, (place.at - bin.x) / bin.w, rise, slope);
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
  spline_value<kind>(bin, t, rise, slope);
  // By y and by log slope of the forward map: of the inverse by the implicit function theorem.
  V gy = d_out, gl = d_log, d_in;
  if (inverse) {
    // What the log-slope sends to x inside of the box, where alone it changes.
    const V through = select(inside, spline_bin_backward<kind>(bin, t, zero, d_log).t / bin.w, zero);
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
  const SplineBinGradient<V> g = spline_bin_backward<kind>(bin, t, gy, gl);
  const V gt = select(inside, g.t / bin.w, zero);
  if (!inverse) d_in = select(inside, gt, s.tails == SplineTails::linear ? d_out : d_out * slope);

  // To the knots of the bin: by x_k and x_{k+1}, y_k and y_{k+1}.
  const V gw = g.w - gt * t, x0 = -gt - gw, y0 = gy - g.h;
  V g0 = g.v0, g1 = g.v1;
  if constexpr (kind == SplineKind::rational_quadratic) {
    g0 = g0 * open_slope_slope(s, bin.raw0);
    g1 = g1 * open_slope_slope(s, bin.raw1);
  }
  const V area = kind == SplineKind::quadratic ? a.d_slope.get(0) : zero;
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
  if constexpr (kind == SplineKind::rational_quadratic) {
    for (int64_t k = 0; k <= bins; ++k) {
      const int64_t to = s.slope_of(kind, k);
      if (to < 0) continue;
      const bool wraps = s.tails == SplineTails::circular;
      if (wraps && k == bins) continue;
      dp.set(to, wraps && k == 0 ? a.d_slope.get(0) + a.d_slope.get(bins) : a.d_slope.get(k));
    }
  }
  if constexpr (kind == SplineKind::cubic) {
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
  }
  if constexpr (kind == SplineKind::quadratic) {
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
  } else {
    spline_cumulate_backward<V>(s, a.d_y, a.d_height);
    spline_fractions_backward<V>(a.heights, a.d_height, s.heights(kind), bins, s.min_height, dp);
  }
  if constexpr (kind != SplineKind::linear) {
    spline_cumulate_backward<V>(s, a.d_x, a.d_width);
    spline_fractions_backward<V>(a.widths, a.d_width, 0, bins, s.min_width, dp);
  }
  return d_in;
}

}  // namespace flow::FLOW_ISA
