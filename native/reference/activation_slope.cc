// activation_slope: y = f(z), slope = f′(z).
#include "reference/activation_slope.h"

namespace flow::reference {

bool activation_slope(const Call& call) {
  const Operand &in = call.in[0], &beta = call.in[1], &y = call.out[0], &slope = call.out[1];
  FLOW_AGREE(call, (y.absent() || like(y, in)) && (slope.absent() || like(slope, in)));
  FLOW_AGREE(call, beta.absent() || is_vector(beta, 1, in.dtype));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> z(in);
    const double b = beta.absent() ? 1 : static_cast<double>(Vector<T>(beta)(0));
    for (int64_t r = 0; r < z.rows; ++r)
      for (int64_t c = 0; c < z.cols; ++c) {
        const Smooth at = smooth_at(static_cast<int>(call.attr[0]), static_cast<double>(z(r, c)), b);
        if (!y.absent()) Matrix<T>{y}(r, c) = static_cast<T>(at.value);
        if (!slope.absent()) Matrix<T>{slope}(r, c) = static_cast<T>(at.slope);
      }
  });
}

}  // namespace flow::reference
