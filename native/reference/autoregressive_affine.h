// The loops of the affine map of autoregressive flows: y = (x − mu)·exp(−a) and x = y·exp(a) + mu, a of the raw output
// of the conditioner by the scale map. Params are pairs (mu, raw), a pair a dimension. The gate turns about mu:
// y = (x − mu)·exp(−a) + mu with exp(−a) = sigmoid(raw + bias), the bias in the place of the bound.
#pragma once
#include "reference/reference.h"

namespace flow::reference {

enum class ScaleMap : int { none, tanh, soft_clamp, additive, gate, count };

inline double log_scale(ScaleMap map, double raw, double bound) {
  switch (map) {
    case ScaleMap::tanh: return bound * std::tanh(raw / bound);
    case ScaleMap::soft_clamp: return raw / (1 + std::fabs(raw) / bound);
    case ScaleMap::additive: return 0;
    case ScaleMap::gate: return std::log1p(std::exp(-(raw + bound)));
    default: return raw;
  }
}

inline double log_scale_slope(ScaleMap map, double raw, double bound) {
  switch (map) {
    case ScaleMap::tanh: return 1 / (std::cosh(raw / bound) * std::cosh(raw / bound));
    case ScaleMap::soft_clamp: return 1 / ((1 + std::fabs(raw) / bound) * (1 + std::fabs(raw) / bound));
    case ScaleMap::additive: return 0;
    case ScaleMap::gate: return -1 / (1 + std::exp(raw + bound));
    default: return 1;
  }
}

// Attributes `at` and `at + 1`: scale map and bound.
inline bool is_scale_map(const Call& call, int at) {
  const double code = call.attr[at];
  const bool bounded = call.attr[at + 1] > 0 || code == static_cast<double>(ScaleMap::gate);
  return code >= 0 && code < static_cast<double>(ScaleMap::count) && code == std::floor(code) && bounded;
}

// What the map leaves where it is: mu of the gate; the others have mu go to 0.
inline double resting_point(ScaleMap map, double mu) { return map == ScaleMap::gate ? mu : 0; }

inline double affine_inverse(ScaleMap map, double y, double mu, double a) {
  return (y - resting_point(map, mu)) * std::exp(a) + mu;
}

inline bool affine_loops(const Call& call, bool inverse) {
  const Operand &in = call.in[0], &params = call.in[1], &out = call.out[0], &log_det = call.out[1];
  FLOW_AGREE(call, is(params, in.rows, 2 * in.cols, in.dtype) && like(out, in) && is_scale_map(call, 0));
  FLOW_AGREE(call, is_vector(log_det, in.rows, DType::f64));
  const ScaleMap map = static_cast<ScaleMap>(call.int_attr(0));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), p(params), y(out);
    const Vector<double> sums(log_det);
    for (int64_t r = 0; r < x.rows; ++r) {
      double sum = 0;
      for (int64_t c = 0; c < x.cols; ++c) {
        const double mu = p(r, 2 * c), a = log_scale(map, p(r, 2 * c + 1), call.attr[1]);
        const double forward = (x(r, c) - mu) * std::exp(-a) + resting_point(map, mu);
        y(r, c) = static_cast<T>(inverse ? affine_inverse(map, x(r, c), mu, a) : forward);
        sum += a;
      }
      sums(r) = inverse ? sum : 0 - sum;
    }
  });
}

// From params and y: forward, dL_dx = dL_dy·exp(−a), dL_dmu = −dL_dx, dL_da = −dL_dy·y − dL_dlogDet;
// inverse, dL_dy = dL_dx·exp(a), dL_dmu = dL_dx, dL_da = dL_dy·y + dL_dlogDet. Of the gate y is counted from mu, and
// dL_dmu has one more term: dL_dy forward, −dL_dy inverse.
inline bool affine_grad_loops(const Call& call, bool inverse) {
  const Operand &params = call.in[0], &y = call.in[1], &d_out = call.in[2], &d_log_det = call.in[3];
  const Operand &d_in = call.out[0], &d_params = call.out[1];
  FLOW_AGREE(call, is(params, y.rows, 2 * y.cols, y.dtype) && like(d_in, y) && like(d_params, params));
  FLOW_AGREE(call, is_scale_map(call, 0) && (d_out.absent() || like(d_out, y)));
  FLOW_AGREE(call, d_log_det.absent() || is_vector(d_log_det, y.rows, DType::f64));
  const ScaleMap map = static_cast<ScaleMap>(call.int_attr(0));
  const double bound = call.attr[1];
  return for_float(call, y.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> p(params), value(y), d(d_out), dx(d_in), dp(d_params);
    for (int64_t r = 0; r < value.rows; ++r) {
      const double dl = d_log_det.absent() ? 0 : Vector<double>(d_log_det)(r);
      for (int64_t c = 0; c < value.cols; ++c) {
        const double raw = p(r, 2 * c + 1), a = log_scale(map, raw, bound);
        const double given = d_out.absent() ? 0 : d(r, c);
        const double through = given * std::exp(inverse ? a : -a);
        const double from = value(r, c) - resting_point(map, p(r, 2 * c));
        const double da = inverse ? through * from + dl : -given * from - dl;
        const double d_mu = inverse ? given : -through;
        const double turned = map != ScaleMap::gate ? 0 : inverse ? -through : given;
        dx(r, c) = static_cast<T>(through);
        dp(r, 2 * c) = static_cast<T>(d_mu + turned);
        dp(r, 2 * c + 1) = static_cast<T>(da * log_scale_slope(map, raw, bound));
      }
    }
  });
}

}  // namespace flow::reference
