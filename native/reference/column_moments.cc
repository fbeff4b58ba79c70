// column_moments: mean and variance Σ(x − mean)²/rows of each column. Outputs: mean, variance (float64).
#include "reference/reference.h"

namespace flow::reference {

bool column_moments(const Call& call) {
  const Operand& in = call.in[0];
  FLOW_AGREE(call, in.rows > 0 && is_vector(call.out[0], in.cols, DType::f64));
  FLOW_AGREE(call, is_vector(call.out[1], in.cols, DType::f64));
  return for_float(call, in.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> x(in);
    const Vector<double> mean(call.out[0]), variance(call.out[1]);
    const double rows = static_cast<double>(x.rows);
    for (int64_t c = 0; c < x.cols; ++c) {
      double sum = 0, squares = 0;
      for (int64_t r = 0; r < x.rows; ++r) sum += x(r, c);
      mean(c) = sum / rows;
      for (int64_t r = 0; r < x.rows; ++r) squares += (x(r, c) - mean(c)) * (x(r, c) - mean(c));
      variance(c) = squares / rows;
    }
  });
}

}  // namespace flow::reference
