// What the ops of discrete variables (ops/discrete_operands.h) share.
#pragma once
#include "ops/elementwise.h"
#include "ops/lanes.h"
#include "ops/discrete_operands.h"
#include "ops/log_det.h"
#include "simd/math.h"
// The formulas come after the functions that they call.
#include "math/discrete.h"

namespace flow::FLOW_ISA {

// The levels of an operand that may hold floating or whole numbers.
struct Levels {
  const Operand& x;

  FLOW_INLINE double at(int64_t r, int64_t c) const {
    const int64_t i = r * x.ld + c;
    switch (x.dtype) {
      case DType::f32: return static_cast<double>(x.as<float>()[i]);
      case DType::f64: return x.as<double>()[i];
      case DType::i32: return static_cast<double>(x.as<int32_t>()[i]);
      default: return static_cast<double>(x.as<uint8_t>()[i]);
    }
  }
};

// Whether `level` is one of 0 … levels − 1.
inline bool is_level(double level, int64_t levels) {
  return level >= 0 && level < static_cast<double>(levels) && level == static_cast<double>(static_cast<int64_t>(level));
}

// ---- categorical --------------------------------------------------------------------------------------

// max of l[0 … n) and log Σ exp(l − max).
template <class T>
FLOW_INLINE void log_sum_exp(const T* l, int64_t n, T& most, T& log_sum) {
  using V = Vec<T>;
  constexpr int w = V::width;
  const int64_t whole = n / w * w;
  const int rest = static_cast<int>(n - whole);
  T tail[w];
  for (int i = 0; i < w; ++i) tail[i] = -__builtin_huge_val();
  for (int i = 0; i < rest; ++i) tail[i] = l[whole + i];
  V top = load<V>(tail);
  for (int64_t i = 0; i < whole; i += w) top = max(top, load<V>(l + i));
  T lane[w];
  store(lane, top);
  most = lane[0];
  for (int i = 1; i < w; ++i) most = lane[i] > most ? lane[i] : most;
  const V origin(most);
  V sum = rest ? exp(load<V>(tail) - origin) : V(0);
  for (int64_t i = 0; i < whole; i += w) sum += exp(load<V>(l + i) - origin);
  log_sum = log(horizontal_sum(sum));
}

// The smallest k with u·Σ exp(l) < Σ_{j ≤ k} exp(l_j), sums from the left in float64; −1 where a logit is NaN or +∞, or
// all are −∞. `e` has room for n numbers.
template <class T>
inline int64_t draw_category(const T* l, int64_t n, double u, T* e) {
  using V = Vec<T>;
  T most = l[0];
  for (int64_t i = 1; i < n; ++i) most = l[i] > most ? l[i] : most;
  for_lanes<V>(n, [&](int64_t i, int live) FLOW_INLINE_LAMBDA { store_live(e + i, exp(load_live(l + i, live) - V(most)), live); });
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(e[i]);
  if (!(total > 0)) return -1;
  const double wanted = u * total;
  double sum = 0;
  int64_t last = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(e[i] > 0)) continue;
    sum += static_cast<double>(e[i]);
    last = i;
    if (sum > wanted) return i;
  }
  return last;  // rounding
}

// A drawn category as a number; NaN where there was none to draw.
template <class T>
inline T level_of(int64_t category) {
  return category < 0 ? static_cast<T>(__builtin_nan("")) : static_cast<T>(category);
}

// 1 with the probability σ(l); NaN of NaN.
template <class T>
inline T draw_bit(T l, T u) {
  return l != l ? l : u < sigmoid(l) ? T(1) : T(0);
}

// ---- mixtures of logistics ----------------------------------------------------------------------------

// `live` rows of `cols` numbers from p as columns of registers: tile[c] holds column c of the rows, zeros above.
template <class T>
inline void rows_to_lanes(const T* p, int64_t ld, int live, int64_t cols, Vec<T>* tile) {
  using V = Vec<T>;
  constexpr int w = V::width;
  int64_t c = 0;
  if (live == w) {
    for (; c + w <= cols; c += w) {
      V row[w];
      FLOW_UNROLL
      for (int r = 0; r < w; ++r) row[r] = load<V>(p + r * ld + c);
      transpose(row);
      FLOW_UNROLL
      for (int r = 0; r < w; ++r) tile[c + r] = row[r];
    }
  }
  for (; c < cols; ++c) {
    T lane[w] = {};
    for (int r = 0; r < live; ++r) lane[r] = p[r * ld + c];
    tile[c] = load<V>(lane);
  }
}
template <class T>
inline void lanes_to_rows(const Vec<T>* tile, int live, int64_t cols, T* p, int64_t ld) {
  using V = Vec<T>;
  constexpr int w = V::width;
  int64_t c = 0;
  if (live == w) {
    for (; c + w <= cols; c += w) {
      V row[w];
      FLOW_UNROLL
      for (int r = 0; r < w; ++r) row[r] = tile[c + r];
      transpose(row);
      FLOW_UNROLL
      for (int r = 0; r < w; ++r) store(p + r * ld + c, row[r]);
    }
  }
  for (; c < cols; ++c) {
    T lane[w];
    store(lane, tile[c]);
    for (int r = 0; r < live; ++r) p[r * ld + c] = lane[r];
  }
}

// A register of rows: log p of each, and with `derivatives` the gradients by the parameters times `factor`.
// `tile` holds the parameters, one register a column; `grad`, of the same size, takes the gradients.
template <bool derivatives, class T>
inline Vec<T> mixture_log_prob(const LogisticMixture& m, const Vec<T>* tile, const Vec<T>* x, Vec<T> factor, Vec<T>* grad) {
  using V = Vec<T>;
  const T top = static_cast<T>(m.levels - 1);
  const V to_value(T(2) / top), half(T(1) / top), least(static_cast<T>(m.least_log_scale));
  V value[64];
  auto valid = V(0) == V(0);
  for (int64_t c = 0; c < m.channels; ++c) {
    value[c] = x[c] * to_value - V(1);
    valid = valid & (x[c] >= V(0)) & (x[c] <= V(top)) & (floor(x[c]) == x[c]);
  }
  // log (π_k·p_k) of each mixture, up to the normaliser of π, and their sums by the running maximum.
  V most(-__builtin_huge_val()), most_logit(-__builtin_huge_val());
  for (int64_t k = 0; k < m.components; ++k) {
    most_logit = max(most_logit, tile[k]);
    V term = tile[k];
    for (int64_t c = 0; c < m.channels; ++c) {
      V mean = tile[m.mean(c) + k];
      for (int64_t j = 0; j < c; ++j) {
        const V t = tanh(tile[m.coefficient(c, j) + k]);
        if constexpr (derivatives) grad[m.coefficient(c, j) + k] = t;
        mean += t * value[j];
      }
      const V raw = tile[m.log_scale(c) + k];
      const V inverse = exp(-max(least, raw));
      const auto bin = logistic_bin<derivatives>((value[c] - mean) * inverse, half * inverse, x[c] == V(0), x[c] == V(top));
      term += bin.log_prob;
      if constexpr (derivatives) {
        const V by_mean = -(bin.by_distance * inverse);
        grad[m.mean(c) + k] = by_mean;
        grad[m.log_scale(c) + k] = select(raw < least, V(0), bin.by_log_scale);
        for (int64_t j = 0; j < c; ++j) {
          const V t = grad[m.coefficient(c, j) + k];
          grad[m.coefficient(c, j) + k] = by_mean * value[j] * (V(1) - t * t);
        }
      }
    }
    most = max(most, term);
    grad[k] = term;
  }
  V sum(0), sum_logit(0);
  for (int64_t k = 0; k < m.components; ++k) {
    sum += exp(grad[k] - most);
    sum_logit += exp(tile[k] - most_logit);
  }
  if constexpr (derivatives) {
    const V share = factor / sum, share_logit = factor / sum_logit;
    for (int64_t k = 0; k < m.components; ++k) {
      const V responsibility = select(valid, exp(grad[k] - most) * share, V(0));
      grad[k] = select(valid, responsibility - exp(tile[k] - most_logit) * share_logit, V(0));
      for (int64_t b = m.components; b < m.columns(); b += m.components)
        grad[b + k] = select(responsibility == V(0), V(0), grad[b + k] * responsibility);
    }
  }
  return select(valid, (most - most_logit) + (log(sum) - log(sum_logit)), V(-__builtin_huge_val()));
}

// Draws the levels of one row from 1 + C uniform numbers: the mixture, then channel by channel by the inverse of the logistic
// distribution function, rounded to a level before the next channel sees it. `e` has room for the mixtures.
template <class T>
inline void draw_mixture(const LogisticMixture& m, const T* p, const T* u, T* x, T* e) {
  const int64_t k = draw_category(p, m.components, static_cast<double>(u[0]), e);
  const double top = static_cast<double>(m.levels - 1);
  double value[64];
  if (k < 0) {
    for (int64_t c = 0; c < m.channels; ++c) x[c] = level_of<T>(k);
    return;
  }
  for (int64_t c = 0; c < m.channels; ++c) {
    double mean = static_cast<double>(p[m.mean(c) + k]);
    for (int64_t j = 0; j < c; ++j) mean += tanh(static_cast<double>(p[m.coefficient(c, j) + k])) * value[j];
    const double log_scale = static_cast<double>(p[m.log_scale(c) + k]);
    const double scale = exp(log_scale < m.least_log_scale ? m.least_log_scale : log_scale);
    const double uniform = static_cast<double>(u[1 + c]);
    const double drawn = mean + scale * (log(uniform) - log1p(-uniform));
    const double level = floor((drawn + 1) * (0.5 * top) + 0.5);
    const double inside = level < 0 ? 0 : level > top ? top : level;  // NaN stays NaN
    x[c] = static_cast<T>(inside);
    value[c] = 2 * inside / top - 1;
  }
}

}  // namespace flow::FLOW_ISA
