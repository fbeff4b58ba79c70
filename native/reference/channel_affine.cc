// channel_affine: y = x·exp(log_scale) + shift, or x = (y − shift)·exp(−log_scale); log_det[n] = ±positions·Σ log_scale.
// Inputs: x, log_scale, shift. Outputs: y, log_det. Attributes: inverse, positions.
#include "reference/reference.h"

namespace flow::reference {

bool channel_affine(const Call& call) {
  const Operand &in = call.in[0], &log_det = call.out[1];
  for (int i = 1; i < 3; ++i) FLOW_AGREE(call, is_vector(call.in[i], in.cols, call.in[i].dtype));
  FLOW_AGREE(call, like(call.out[0], in) && is_vector(log_det, log_det.count(), DType::f64));
  const bool inverse = call.attr[0] != 0;
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(call.out[0]);
    for_float(call, call.in[1].dtype, [&](auto s_zero) {
      for_float(call, call.in[2].dtype, [&](auto b_zero) {
        const Vector<decltype(s_zero)> log_scale(call.in[1]);
        const Vector<decltype(b_zero)> shift(call.in[2]);
        double total = 0;
        for (int64_t c = 0; c < x.cols; ++c) {
          const double s = log_scale(c), b = shift(c);
          total += s;
          for (int64_t r = 0; r < x.rows; ++r)
            y(r, c) = static_cast<T>(inverse ? (x(r, c) - b) * std::exp(-s) : x(r, c) * std::exp(s) + b);
        }
        const Vector<double> each(log_det);
        for (int64_t n = 0; n < each.count; ++n) each(n) = (inverse ? -1 : 1) * call.attr[1] * total;
      });
    });
  });
}

}  // namespace flow::reference
