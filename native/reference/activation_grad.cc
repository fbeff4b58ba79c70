// activation_grad: dL_dz = dL_dy ⊙ act'(z), act' written in y, and its column sums.
// Attributes: activation, its parameter, order (2: d act'/dy in place of act'), outputs (1: dL_dz, 2: sums, 3: both).
#include "reference/activation.h"

namespace flow::reference {

bool activation_grad(const Call& call) {
  const Operand &dL_dy = call.in[0], &y = call.in[1];
  const int64_t order = call.int_attr(2), wanted = call.int_attr(3);
  FLOW_AGREE(call, is_activation(call.attr[0]) && (order == 1 || order == 2) && wanted >= 1 && wanted <= 3);
  FLOW_AGREE(call, call.n_out == (wanted == 3 ? 2 : 1));
  const Activation act = static_cast<Activation>(call.int_attr(0));
  const double param = call.attr[1];
  FLOW_AGREE(call, act != Activation::gelu);
  FLOW_AGREE(call, y.absent() ? act == Activation::none || dL_dy.count() == 0 : like(y, dL_dy));
  const Operand &dL_dz = call.out[0], &dL_dbias = call.out[call.n_out - 1];
  FLOW_AGREE(call, !(wanted & 1) || like(dL_dz, dL_dy));
  FLOW_AGREE(call, !(wanted & 2) || is(dL_dbias, 1, dL_dy.cols, dL_dy.dtype));
  return for_float(call, dL_dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> d(dL_dy), out(y), dz(dL_dz);
    const Vector<T> dbias(dL_dbias);
    for (int64_t c = 0; c < d.cols; ++c) {
      double sum = 0;
      for (int64_t r = 0; r < d.rows; ++r) {
        double value = d(r, c);
        if (act == Activation::relu && order == 1) {
          value = out(r, c) > 0 ? value : 0;  // a choice: 0·inf is NaN
        } else if (act != Activation::none) {
          value *= order == 1 ? slope_of(act, out(r, c), param) : second_slope_of(act, out(r, c));
        }
        if (wanted & 1) dz(r, c) = static_cast<T>(value);
        sum += value;
      }
      if (wanted & 2) dbias(c) = static_cast<T>(sum);
    }
  });
}

}  // namespace flow::reference
