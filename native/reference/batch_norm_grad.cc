// batch_norm_grad: with h = (x − mean)/√(variance + eps), g = exp(log_gamma)/√(variance + eps), D = dL_dlogDet:
//   dL_dbeta = Σ dL_dy, dL_dlogGamma = exp(log_gamma)·Σ dL_dy·h + D,
//   dL_dx = g·dL_dy, in training also − g·(Σ dL_dy + h·Σ dL_dy·h)/rows − h·D/(rows·√(variance + eps)).
// Inputs: x, mean, variance, log_gamma, dL_dy or absent, D or absent. Outputs, each may be absent: dL_dx, dL_dlogGamma,
// dL_dbeta. Attributes: eps, training (0 or 1).
#include "reference/reference.h"

namespace flow::reference {

bool batch_norm_grad(const Call& call) {
  const Operand &in = call.in[0], &dL_dy = call.in[4], &dL_dlogDet = call.in[5];
  const Operand &dL_dx = call.out[0], &dL_dlogGamma = call.out[1], &dL_dbeta = call.out[2];
  for (int i = 1; i < 4; ++i) FLOW_AGREE(call, is_vector(call.in[i], in.cols, i < 3 ? DType::f64 : in.dtype));
  FLOW_AGREE(call, (dL_dy.absent() || like(dL_dy, in)) && (dL_dlogDet.absent() || is_scalar(dL_dlogDet)));
  FLOW_AGREE(call, dL_dx.absent() || like(dL_dx, in));
  FLOW_AGREE(call, dL_dlogGamma.absent() || is_vector(dL_dlogGamma, in.cols, in.dtype));
  FLOW_AGREE(call, dL_dbeta.absent() || is_vector(dL_dbeta, in.cols, in.dtype));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), d(dL_dy), dx(dL_dx);
    const Vector<double> mean(call.in[1]), variance(call.in[2]);
    const Vector<T> log_gamma(call.in[3]), d_log_gamma(dL_dlogGamma), d_beta(dL_dbeta);
    const double d_log_det = dL_dlogDet.absent() ? 0 : *dL_dlogDet.as<double>();
    const bool training = call.attr[1] != 0;
    const double rows = static_cast<double>(x.rows);
    for (int64_t c = 0; c < x.cols; ++c) {
      const double inverse = 1 / std::sqrt(variance(c) + call.attr[0]);
      const double gamma = std::exp(static_cast<double>(log_gamma(c))), g = gamma * inverse;
      double sum = 0, weighted = 0;
      for (int64_t r = 0; r < x.rows; ++r) {
        const double dy = dL_dy.absent() ? 0 : d(r, c);
        sum += dy;
        weighted += dy * (x(r, c) - mean(c)) * inverse;
      }
      if (!dL_dlogGamma.absent()) d_log_gamma(c) = static_cast<T>(gamma * weighted + d_log_det);
      if (!dL_dbeta.absent()) d_beta(c) = static_cast<T>(sum);
      if (dL_dx.absent()) continue;
      for (int64_t r = 0; r < x.rows; ++r) {
        const double h = (x(r, c) - mean(c)) * inverse;
        double value = g * (dL_dy.absent() ? 0 : d(r, c));
        if (training) value -= g * (sum + h * weighted) / rows + h * d_log_det * inverse / rows;
        dx(r, c) = static_cast<T>(value);
      }
    }
  });
}

}  // namespace flow::reference
