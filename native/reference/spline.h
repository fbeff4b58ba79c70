// The splines by plain formulas on vectors of knots, for double and for a number with its derivatives.
#pragma once
#include <algorithm>
#include <vector>

#include "reference/reference.h"

namespace flow::reference {

// A number and its derivatives by the input and the P numbers of its feature.
struct Dual {
  double value = 0;
  std::vector<double> d;

  Dual() = default;
  Dual(double v) : value(v) {}
  Dual(double v, size_t count, size_t which) : value(v), d(count) { d[which] = 1; }
};

// f(a) with the slope there, and f(a, b) with both.
inline Dual chain(double value, const Dual& a, double by_a) {
  Dual r(value);
  for (double d : a.d) r.d.push_back(by_a * d);
  return r;
}
inline Dual chain(double value, const Dual& a, double by_a, const Dual& b, double by_b) {
  Dual r(value);
  r.d.resize(std::max(a.d.size(), b.d.size()));
  for (size_t i = 0; i < r.d.size(); ++i)
    r.d[i] = (i < a.d.size() ? by_a * a.d[i] : 0) + (i < b.d.size() ? by_b * b.d[i] : 0);
  return r;
}
inline Dual operator+(const Dual& a, const Dual& b) { return chain(a.value + b.value, a, 1, b, 1); }
inline Dual operator-(const Dual& a, const Dual& b) { return chain(a.value - b.value, a, 1, b, -1); }
inline Dual operator*(const Dual& a, const Dual& b) { return chain(a.value * b.value, a, b.value, b, a.value); }
inline Dual operator/(const Dual& a, const Dual& b) {
  return chain(a.value / b.value, a, 1 / b.value, b, -a.value / (b.value * b.value));
}
inline Dual exp(const Dual& a) { return chain(std::exp(a.value), a, std::exp(a.value)); }
inline Dual log(const Dual& a) { return chain(std::log(a.value), a, 1 / a.value); }
inline Dual log1p(const Dual& a) { return chain(std::log1p(a.value), a, 1 / (1 + a.value)); }
inline bool operator<(const Dual& a, const Dual& b) { return a.value < b.value; }
inline double number(const Dual& a) { return a.value; }
inline double number(double a) { return a; }

struct Spline {
  int kind, tails;
  int64_t bins;
  double left, right, min_width, min_height, min_slope;

  explicit Spline(const Call& call)
      : kind(static_cast<int>(call.attr[0])), tails(static_cast<int>(call.attr[1])), bins(static_cast<int64_t>(call.attr[2])),
        left(call.attr[3]), right(call.attr[4]), min_slope(call.attr[7]) {
    // No bin is empty, whatever is asked for.
    const double eps = call.in[0].dtype == DType::f32 ? 0x1p-23 : 0x1p-52, least = 2 * static_cast<double>(bins + 8) * eps;
    min_width = std::max(call.attr[5], least);
    min_height = std::max(call.attr[6], least);
  }
  int64_t count() const {
    static constexpr int64_t fixed[] = {2, 1, 1, 2};
    const int64_t slopes = kind == 2 ? 0 : kind == 3 ? (tails == 1 ? 2 : 0) : bins + (tails == 1 ? 1 : tails == 2 ? 0 : -1);
    return fixed[kind] * bins + slopes;
  }
};

template <class N>
N open(const Spline& s, const N& raw) {
  using std::exp, std::log1p;
  return N(s.min_slope) + log1p(exp(raw) * N(std::expm1(1 - s.min_slope)));
}

template <class N>
struct Knots {
  std::vector<N> x, y, slope;
};

template <class N>
std::vector<N> fractions(const N* raw, int64_t bins, double least) {
  using std::exp;
  N sum(0.0);
  std::vector<N> e;
  for (int64_t k = 0; k < bins; ++k) e.push_back(exp(raw[k])), sum = sum + e.back();
  for (N& value : e) value = N(least) + N(1 - bins * least) * value / sum;
  return e;
}

template <class N>
std::vector<N> cumulated(const Spline& s, const std::vector<N>& parts) {
  std::vector<N> knots{N(s.left)};
  for (const N& part : parts) knots.push_back(knots.back() + N(s.right - s.left) * part);
  knots.back() = N(s.right);
  return knots;
}

template <class N>
Knots<N> knots_of(const Spline& s, const std::vector<N>& p) {
  const int64_t bins = s.bins;
  Knots<N> k;
  const std::vector<N> widths =
      s.kind == 2 ? std::vector<N>(bins, N(1.0 / bins)) : fractions(p.data(), bins, s.min_width);
  k.x = cumulated(s, widths);
  if (s.kind == 1) {
    // Slopes over the area under them.
    const N* raw = p.data() + bins;
    std::vector<N> u(bins + 1, N(0.0));
    if (s.tails == 0) {
      N inner(0.0);
      for (int64_t i = 1; i < bins; ++i) {
        u[i] = open(s, raw[i - 1]);
        inner = inner + N(0.5) * (widths[i - 1] + widths[i]) * u[i];
      }
      // The ends are the area: A = inner + A·(w_0 + w_{K−1})/2.
      const N area = bins == 1 ? N(1.0) : inner / (N(1.0) - N(0.5) * (widths[0] + widths[bins - 1]));
      u[0] = area, u[bins] = area;
    } else {
      for (int64_t i = 0; i <= bins; ++i) u[i] = open(s, raw[s.tails == 2 && i == bins ? 0 : i]);
    }
    N area(0.0);
    for (int64_t i = 0; i < bins; ++i) area = area + N(0.5) * widths[i] * (u[i] + u[i + 1]);
    std::vector<N> heights;
    for (N& value : u) value = value / area;
    for (int64_t i = 0; i < bins; ++i) heights.push_back(N(0.5) * widths[i] * (u[i] + u[i + 1]));
    k.y = cumulated(s, heights);
    k.slope = u;
    return k;
  }
  k.y = cumulated(s, fractions(p.data() + (s.kind == 2 ? 0 : bins), bins, s.min_height));
  k.slope.assign(bins + 1, N(1.0));
  const N* raw = p.data() + 2 * bins;
  if (s.kind == 0) {
    for (int64_t i = 0; i <= bins; ++i) {
      if (s.tails == 0 && (i == 0 || i == bins)) continue;
      k.slope[i] = open(s, raw[s.tails == 0 ? i - 1 : s.tails == 2 && i == bins ? 0 : i]);
    }
  }
  if (s.kind == 3) {
    const auto w = [&](int64_t i) { return k.x[i + 1] - k.x[i]; };
    const auto m = [&](int64_t i) { return (k.y[i + 1] - k.y[i]) / w(i); };
    const auto steffen = [&](int64_t a, int64_t b) {
      const N parabola = (m(a) * w(b) + m(b) * w(a)) / (w(a) + w(b));
      const N least = N(2.0) * (m(a) < m(b) ? m(a) : m(b));
      return parabola < least ? parabola : least;
    };
    for (int64_t i = 1; i < bins; ++i) k.slope[i] = steffen(i - 1, i);
    for (int end = 0; end < 2; ++end) {
      using std::exp;
      const N steepest = N(3.0) * m(end == 0 ? 0 : bins - 1);
      k.slope[end * bins] = s.tails == 2   ? steffen(bins - 1, 0)
                            : s.tails == 1 ? steepest / (N(1.0) + exp(N(0.0) - raw[end]))
                            : steepest < N(1.0) ? steepest
                                                : N(1.0);
    }
  }
  return k;
}

// y and the slope at x within bin b; beyond the box the bin at the end goes on straight.
template <class N>
void value_of(const Spline& s, const Knots<N>& k, int64_t b, const N& x, N& y, N& slope) {
  const N w = k.x[b + 1] - k.x[b], h = k.y[b + 1] - k.y[b], m = h / w, v0 = k.slope[b], v1 = k.slope[b + 1];
  const N t = (x - k.x[b]) / w, r = N(1.0) - t;
  if (s.kind == 2) {
    y = k.y[b] + h * t;
    slope = m;
  } else if (s.kind == 1) {
    y = k.y[b] + w * (v0 * t + N(0.5) * (v1 - v0) * t * t);
    slope = v0 * r + v1 * t;
  } else if (s.kind == 0) {
    const N d = m + (v0 + v1 - N(2.0) * m) * t * r;
    y = k.y[b] + h * (m * t * t + v0 * t * r) / d;
    slope = m * m * (v1 * t * t + N(2.0) * m * t * r + v0 * r * r) / (d * d);
  } else {
    const N c2 = (N(3.0) * m - N(2.0) * v0 - v1) / w, c3 = (v0 + v1 - N(2.0) * m) / (w * w), z = x - k.x[b];
    y = k.y[b] + v0 * z + c2 * z * z + c3 * z * z * z;
    slope = v0 + N(2.0) * c2 * z + N(3.0) * c3 * z * z;
  }
}

// f and log f' at x.
template <class N>
void spline_at(const Spline& s, const Knots<N>& k, const N& x, N& y, N& log_slope) {
  using std::log;
  const double range = s.right - s.left;
  const bool outside = number(x) < s.left || number(x) > s.right;
  if (outside && s.tails == 0) {
    y = x;
    log_slope = N(0.0);
    return;
  }
  const double turns = outside && s.tails == 2 ? range * std::floor((number(x) - s.left) / range) : 0;
  const N at = outside && s.tails == 1 ? N(number(x) < s.left ? s.left : s.right) : x - N(turns);
  int64_t b = 0;
  while (b + 1 < s.bins && number(at) >= number(k.x[b + 1])) ++b;
  N slope;
  value_of(s, k, b, at, y, slope);
  y = y + N(turns);
  if (outside && s.tails == 1) y = y + (x - at) * slope;
  log_slope = log(slope);
}

inline bool is_spline(const Call& call, const Spline& s) {
  const Operand &x = call.in[0], &params = call.in[1];
  return s.kind >= 0 && s.kind <= 3 && s.tails >= 0 && s.tails <= 2 && s.bins >= 1 && s.left < s.right && params.dtype == x.dtype &&
         params.cols == s.count() * x.cols && (params.rows == x.rows || params.rows == 1);
}

template <class T>
std::vector<double> numbers_of(const Spline& s, const Operand& params, int64_t row, int64_t feature) {
  const T* p = params.as<T>() + (params.rows == 1 ? 0 : row * params.ld) + feature * s.count();
  return std::vector<double>(p, p + s.count());
}

}  // namespace flow::reference
