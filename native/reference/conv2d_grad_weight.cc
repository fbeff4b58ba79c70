// conv2d_grad_weight: dL_dW[o, t, i] = Σ_p dL_dy[p, o] · x[p + tap t, i]; 0 where a tap is not live. dL_db[o] = Σ_p dL_dy[p, o].
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &dL_dW = call.out[0];
  FLOW_AGREE(call, call.n_attr >= 5);
  const Image image(call);
  FLOW_AGREE(call, image.fits(dL_dy.rows, dL_dW.cols) && dL_dW.cols == image.blocks * x.cols);
  FLOW_AGREE(call, is(x, dL_dy.rows, x.cols, dL_dy.dtype) && is(dL_dW, dL_dy.cols, dL_dW.cols, dL_dy.dtype));
  FLOW_AGREE(call, call.n_out == 1 || (call.n_out == 2 && is(call.out[1], 1, dL_dy.cols, dL_dy.dtype)));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    correlate(image, Matrix<T>(dL_dy), Matrix<T>(x), dL_dW, call.n_out == 2 ? call.out[1] : nothing());
  });
}

}  // namespace flow::reference
