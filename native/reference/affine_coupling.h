// The loops of the affine coupling: y = x·s + t and x = (y − t)/s on the transformed elements, s of raw by the scale map.
// Attributes: scale map, bound, start, positions, width (0: by columns), parity.
#pragma once
#include "reference/reference.h"

namespace flow::reference {

enum class CouplingScale : int { additive, exp, tanh, sigmoid, double_sigmoid, atan, count };

inline double log_of_scale(CouplingScale map, double raw, double gain, double bound) {
  const double pi = std::acos(-1.0);
  switch (map) {
    case CouplingScale::exp: return raw;
    case CouplingScale::tanh: return gain * std::tanh(raw);
    case CouplingScale::sigmoid: return -std::log1p(std::exp(-(raw + 2)));
    case CouplingScale::double_sigmoid: return std::log(2.0) - std::log1p(std::exp(-raw));
    case CouplingScale::atan: return bound * (2 / pi) * std::atan(raw / bound);
    default: return 0;
  }
}

inline double slope_of_log_scale(CouplingScale map, double raw, double gain, double bound) {
  const double pi = std::acos(-1.0);
  switch (map) {
    case CouplingScale::exp: return 1;
    case CouplingScale::tanh: return gain / (std::cosh(raw) * std::cosh(raw));
    case CouplingScale::sigmoid: return 1 / (1 + std::exp(raw + 2));
    case CouplingScale::double_sigmoid: return 1 / (1 + std::exp(raw));
    case CouplingScale::atan: return (2 / pi) / (1 + (raw / bound) * (raw / bound));
    default: return 0;
  }
}

struct Coupling {
  CouplingScale map;
  double bound;
  int64_t start, count, positions, width, parity;

  // Whether the element is transformed.
  bool transforms(int64_t row, int64_t col) const {
    if (width == 0) return col >= start && col < start + count;
    const int64_t position = row % positions;
    return (position / width + position % width) % 2 == parity;
  }
};

inline bool read_coupling(const Call& call, const Operand& x, const Operand& params, const Operand& gain, Coupling& c) {
  for (int i = 0; i < 6; ++i) FLOW_AGREE(call, i == 1 || (call.attr[i] >= 0 && call.attr[i] < 1e9));
  FLOW_AGREE(call, call.attr[0] < static_cast<double>(CouplingScale::count) && call.attr[1] > 0 && call.attr[3] >= 1);
  c = {static_cast<CouplingScale>(call.int_attr(0)), call.attr[1], call.int_attr(2), 0, call.int_attr(3), call.int_attr(4),
       call.int_attr(5)};
  c.count = c.map == CouplingScale::additive ? params.cols : params.cols / 2;
  FLOW_AGREE(call, is(params, x.rows, c.map == CouplingScale::additive ? c.count : 2 * c.count, x.dtype));
  FLOW_AGREE(call, c.start + c.count <= x.cols && x.rows % c.positions == 0);
  FLOW_AGREE(call, c.width == 0 || (c.positions % c.width == 0 && c.count == x.cols));
  FLOW_AGREE(call, gain.absent() || is(gain, 1, c.count, x.dtype));
  return true;
}

inline bool coupling_loops(const Call& call, bool inverse) {
  const Operand &in = call.in[0], &params = call.in[1], &gain = call.in[2], &out = call.out[0], &log_det = call.out[1];
  Coupling c{};
  if (!read_coupling(call, in, params, gain, c)) return false;
  FLOW_AGREE(call, like(out, in) && is_vector(log_det, in.rows / c.positions, DType::f64));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), p(params), g(gain), y(out);
    const Vector<double> sums(log_det);
    for (int64_t n = 0; n < x.rows / c.positions; ++n) {
      double sum = 0;
      for (int64_t r = n * c.positions; r < (n + 1) * c.positions; ++r) {
        for (int64_t i = 0; i < x.cols; ++i) {
          if (!c.transforms(r, i)) {
            y(r, i) = x(r, i);
            continue;
          }
          const int64_t k = i - c.start;
          const double shift = p(r, k), raw = c.map == CouplingScale::additive ? 0 : p(r, c.count + k);
          const double log_s = log_of_scale(c.map, raw, gain.absent() ? 1 : g(0, k), c.bound);
          const double value = x(r, i);
          y(r, i) = static_cast<T>(inverse ? (value - shift) * std::exp(-log_s) : value * std::exp(log_s) + shift);
          sum += log_s;
        }
      }
      sums(n) = inverse ? 0 - sum : sum;
    }
  });
}

// From x on the side of the data: forward, dL_dx = dL_dy·s, dL_dt = dL_dy, dL_dlog_s = dL_dy·x·s + dL_dlogDet;
// inverse, dL_dy = dL_dx/s, dL_dt = −dL_dy, dL_dlog_s = −dL_dx·x − dL_dlogDet.
inline bool coupling_grad_loops(const Call& call, bool inverse) {
  const Operand &data = call.in[0], &params = call.in[1], &gain = call.in[2], &d_out = call.in[3], &d_log_det = call.in[4];
  const Operand &d_in = call.out[0], &d_params = call.out[1], &d_gain = call.out[2];
  Coupling c{};
  if (!read_coupling(call, data, params, gain, c)) return false;
  FLOW_AGREE(call, d_out.absent() || like(d_out, data));
  FLOW_AGREE(call, d_log_det.absent() || is_vector(d_log_det, data.rows / c.positions, DType::f64));
  FLOW_AGREE(call, (d_in.absent() || like(d_in, data)) && (d_params.absent() || like(d_params, params)));
  FLOW_AGREE(call, d_gain.absent() || (!gain.absent() && like(d_gain, gain)));
  return for_float(call, data.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(data), p(params), g(gain), d(d_out), dx(d_in), dp(d_params), dg(d_gain);
    const auto put = [](const Operand& o, const Matrix<T>& to, int64_t r, int64_t i, double value) {
      if (!o.absent()) to(r, i) = static_cast<T>(value);
    };
    for (int64_t k = 0; k < c.count; ++k) {
      double by_gain = 0;
      for (int64_t r = 0; r < x.rows; ++r) {
        if (!c.transforms(r, c.start + k)) {
          put(d_params, dp, r, k, 0);
          if (c.map != CouplingScale::additive) put(d_params, dp, r, c.count + k, 0);
          continue;
        }
        const int64_t i = c.start + k;
        const double dl = d_log_det.absent() ? 0 : Vector<double>(d_log_det)(r / c.positions);
        const double raw = c.map == CouplingScale::additive ? 0 : p(r, c.count + k), by = gain.absent() ? 1 : g(0, k);
        const double log_s = log_of_scale(c.map, raw, by, c.bound), given = d_out.absent() ? 0 : d(r, i);
        const double through = given * std::exp(inverse ? -log_s : log_s);
        const double d_log_s = inverse ? -given * x(r, i) - dl : through * x(r, i) + dl;
        put(d_in, dx, r, i, through);
        put(d_params, dp, r, k, inverse ? -through : given);
        if (c.map != CouplingScale::additive)
          put(d_params, dp, r, c.count + k, d_log_s * slope_of_log_scale(c.map, raw, by, c.bound));
        by_gain += d_log_s * std::tanh(raw);
      }
      put(d_gain, dg, 0, k, by_gain);
    }
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t i = 0; i < x.cols; ++i)
        if (!c.transforms(r, i)) put(d_in, dx, r, i, d_out.absent() ? 0 : d(r, i));
  });
}

}  // namespace flow::reference
