// batch_norm: y = (x − mean)/√(variance + eps)·exp(log_gamma) + beta, logDet = Σ log_gamma − ½ log(variance + eps).
// Inputs: x, mean, variance (float64), log_gamma, beta. Attribute: eps.
#include "reference/reference.h"

namespace flow::reference {

bool batch_norm(const Call& call) {
  const Operand& in = call.in[0];
  for (int i = 1; i < 5; ++i) FLOW_AGREE(call, is_vector(call.in[i], in.cols, i < 3 ? DType::f64 : in.dtype));
  FLOW_AGREE(call, like(call.out[0], in) && is_scalar(call.out[1]));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(call.out[0]);
    const Vector<double> mean(call.in[1]), variance(call.in[2]);
    const Vector<T> log_gamma(call.in[3]), beta(call.in[4]);
    double log_det = 0;
    for (int64_t c = 0; c < x.cols; ++c) {
      const double v = variance(c) + call.attr[0], gain = std::exp(static_cast<double>(log_gamma(c)));
      log_det += log_gamma(c) - 0.5 * std::log(v);
      for (int64_t r = 0; r < x.rows; ++r)
        y(r, c) = static_cast<T>((x(r, c) - mean(c)) / std::sqrt(v) * gain + beta(c));
    }
    *call.out[1].as<double>() = log_det;
  });
}

}  // namespace flow::reference
