// What the plain loops of discrete variables share: log p of one channel and of one row of a mixture, in float64.
#pragma once
#include <vector>

#include "reference/functions.h"

namespace flow::reference {

inline double level_at(const Operand& x, int64_t r, int64_t c) {
  double value = 0;
  for_type(x.dtype, [&](auto zero) { value = static_cast<double>(Matrix<decltype(zero)>(x)(r, c)); });
  return value;
}

inline bool is_level(double x, int64_t levels) { return x >= 0 && x < levels && x == std::floor(x); }

// Not std::fmax: GCC 12 for arm64 fails inside itself when it vectorises the largest of floats that were cast.
inline double larger(double most, double x) { return x > most ? x : most; }

/** Columns of a row of parameters: native/ops/discrete_operands.h. */
struct Mixture {
  int64_t k, c, levels;
  double least;

  Mixture(const Operand& params, int64_t channels, double of, double least_log_scale)
      : k(params.cols / (1 + 2 * channels + channels * (channels - 1) / 2)), c(channels),
        levels(static_cast<int64_t>(of)), least(least_log_scale) {}
  bool fits(const Operand& params) const {
    return c > 0 && k > 0 && levels > 1 && params.cols == k * (1 + 2 * c + c * (c - 1) / 2);
  }
  double value(double x) const { return 2 * x / (levels - 1) - 1; }
  int64_t mean(int64_t i, int64_t m) const { return (1 + i) * k + m; }
  int64_t log_scale(int64_t i, int64_t m) const { return (1 + c + i) * k + m; }
  int64_t coefficient(int64_t i, int64_t j, int64_t m) const { return (1 + 2 * c + i * (i - 1) / 2 + j) * k + m; }
};

// log (σ(high) − σ(low)), the difference taken on the side where both are small.
inline double log_bin(double low, double high, bool first, bool last) {
  if (first && last) return 0;
  if (first) return -softplus(-high);
  if (last) return -softplus(low);
  const double large = low + high > 0 ? -softplus(low) : -softplus(-high);
  const double little = low + high > 0 ? -softplus(high) : -softplus(-low);
  return large + std::log1p(-std::exp(little - large));
}

// log (π_m·p_m(x)) of each mixture; row(i) and x(i) are numbers.
template <class Row, class X>
std::vector<double> mixture_terms(const Mixture& mix, const Row& row, const X& x) {
  double most = -HUGE_VAL, sum = 0;
  for (int64_t m = 0; m < mix.k; ++m) most = larger(most, row(m));
  for (int64_t m = 0; m < mix.k; ++m) sum += std::exp(row(m) - most);
  std::vector<double> terms;
  for (int64_t m = 0; m < mix.k; ++m) {
    double term = row(m) - most - std::log(sum);
    for (int64_t i = 0; i < mix.c; ++i) {
      double mean = row(mix.mean(i, m));
      for (int64_t j = 0; j < i; ++j) mean += std::tanh(row(mix.coefficient(i, j, m))) * mix.value(x(j));
      const double scale = std::exp(std::fmax(mix.least, row(mix.log_scale(i, m))));
      const double half = 1.0 / (mix.levels - 1), off = mix.value(x(i)) - mean;
      term += log_bin((off - half) / scale, (off + half) / scale, x(i) == 0, x(i) == mix.levels - 1);
    }
    terms.push_back(term);
  }
  return terms;
}

inline double log_sum(const std::vector<double>& terms) {
  double most = -HUGE_VAL, sum = 0;
  for (double t : terms) most = larger(most, t);
  for (double t : terms) sum += std::exp(t - most);
  return most + std::log(sum);
}

}  // namespace flow::reference
