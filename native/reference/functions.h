// The functions of one variable and their derivatives by <cmath>, in the order of the codes of the op `unary`.
#pragma once
#include "reference/reference.h"

namespace flow::reference {

enum class Kind : int {
  neg, abs, square, sqrt, reciprocal, exp, expm1, log, log1p, tanh, sigmoid, log_sigmoid, softplus, relu, leaky_relu,
  elu, sin, cos, erf, sign, floor, clamp, asinh, normal_cdf, normal_quantile, count
};

template <class T>
T sigmoid(T x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

template <class T>
T softplus(T x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.7071067811865476); }

// By bisection.
inline double normal_quantile(double p) {
  if (!(p >= 0 && p <= 1)) return std::nan("");
  if (p == 0 || p == 1) return p == 0 ? -HUGE_VAL : HUGE_VAL;
  double low = -40, high = 40;
  for (int k = 0; k < 100; ++k) {
    const double middle = 0.5 * (low + high);
    (p < 0.5 ? normal_cdf(middle) < p : 1 - p < normal_cdf(-middle)) ? low = middle : high = middle;
  }
  return 0.5 * (low + high);
}

template <class T>
T value_of(Kind kind, T x, T p, T q) {
  switch (kind) {
    case Kind::neg: return -x;
    case Kind::abs: return std::fabs(x);
    case Kind::square: return x * x;
    case Kind::sqrt: return std::sqrt(x);
    case Kind::reciprocal: return 1 / x;
    case Kind::exp: return std::exp(x);
    case Kind::expm1: return std::expm1(x);
    case Kind::log: return std::log(x);
    case Kind::log1p: return std::log1p(x);
    case Kind::tanh: return std::tanh(x);
    case Kind::sigmoid: return sigmoid(x);
    case Kind::log_sigmoid: return -softplus(-x);
    case Kind::softplus: return softplus(x);
    case Kind::relu: return x < 0 ? 0 : x;
    case Kind::leaky_relu: return x > 0 ? x : p * x;
    case Kind::elu: return x > 0 ? x : p * std::expm1(x);
    case Kind::sin: return std::sin(x);
    case Kind::cos: return std::cos(x);
    case Kind::erf: return std::erf(x);
    case Kind::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Kind::floor: return std::floor(x);
    case Kind::clamp: return x < p ? p : x > q ? q : x;
    case Kind::asinh: return std::asinh(x);
    case Kind::normal_cdf: return static_cast<T>(normal_cdf(x));
    case Kind::normal_quantile: return static_cast<T>(normal_quantile(x));
    case Kind::count: break;
  }
  return 0;
}

// f'(x), written in s: the output y of sqrt, reciprocal, exp, expm1, tanh, sigmoid, relu and normal_quantile, the input x of the others.
template <class T>
T derivative_of(Kind kind, T s, T p, T q) {
  const T x = s, y = s;
  switch (kind) {
    case Kind::neg: return -1;
    case Kind::abs: return x > 0 ? 1 : x < 0 ? -1 : x * 0;
    case Kind::square: return 2 * x;
    case Kind::sqrt: return 1 / (2 * y);
    case Kind::reciprocal: return -y * y;
    case Kind::exp: return y;
    case Kind::expm1: return y + 1;
    case Kind::log: return 1 / x;
    case Kind::log1p: return 1 / (1 + x);
    case Kind::tanh: return (1 - y) * (1 + y);
    case Kind::sigmoid: return y * (1 - y);
    case Kind::log_sigmoid: return sigmoid(-x);
    case Kind::softplus: return sigmoid(x);
    case Kind::relu: return y > 0 ? 1 : y * 0;
    case Kind::leaky_relu: return x > 0 ? 1 : p;
    case Kind::elu: return x > 0 ? 1 : p * std::exp(x);
    case Kind::sin: return std::cos(x);
    case Kind::cos: return -std::sin(x);
    case Kind::erf: return static_cast<T>(1.1283791670955126) * std::exp(-x * x);  // 2/√π
    case Kind::sign: return x * 0;
    case Kind::floor: return 0;
    case Kind::clamp: return x >= p && x <= q ? 1 : 0;
    case Kind::asinh: return 1 / std::sqrt(1 + x * x);
    case Kind::normal_cdf: return static_cast<T>(0.3989422804014327) * std::exp(-x * x / 2);  // 1/√2π
    case Kind::normal_quantile: return static_cast<T>(2.5066282746310002) * std::exp(y * y / 2);
    case Kind::count: break;
  }
  return 0;
}

inline bool is_kind(double code) {
  return code >= 0 && code < static_cast<double>(Kind::count) && code == std::floor(code);
}

}  // namespace flow::reference
