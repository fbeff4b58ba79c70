// activation_slope_grad: dL_dz = dL_dy·f′ + dL_dslope·f″, dL_dbeta the sum of what both give by β.
#include "reference/activation_slope.h"

namespace flow::reference {

bool activation_slope_grad(const Call& call) {
  const Operand &in = call.in[0], &beta = call.in[1], &dL_dy = call.in[2], &dL_dslope = call.in[3];
  const Operand &dL_dz = call.out[0], &dL_dbeta = call.out[1];
  FLOW_AGREE(call, (dL_dy.absent() || like(dL_dy, in)) && (dL_dslope.absent() || like(dL_dslope, in)));
  FLOW_AGREE(call, dL_dz.absent() || like(dL_dz, in));
  FLOW_AGREE(call, (beta.absent() || is_vector(beta, 1, in.dtype)) && (dL_dbeta.absent() || is_vector(dL_dbeta, 1, in.dtype)));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> z(in);
    const double b = beta.absent() ? 1 : static_cast<double>(Vector<T>(beta)(0));
    double sum = 0;
    for (int64_t r = 0; r < z.rows; ++r)
      for (int64_t c = 0; c < z.cols; ++c) {
        const Smooth at = smooth_at(static_cast<int>(call.attr[0]), static_cast<double>(z(r, c)), b);
        const double by_y = dL_dy.absent() ? 0 : static_cast<double>(Matrix<T>(dL_dy)(r, c));
        const double by_slope = dL_dslope.absent() ? 0 : static_cast<double>(Matrix<T>(dL_dslope)(r, c));
        if (!dL_dz.absent()) Matrix<T>{dL_dz}(r, c) = static_cast<T>(by_y * at.slope + by_slope * at.curvature);
        sum += by_y * at.value_by_beta + by_slope * at.slope_by_beta;
      }
    if (!dL_dbeta.absent()) Vector<T>{dL_dbeta}(0) = static_cast<T>(sum);
  });
}

}  // namespace flow::reference
