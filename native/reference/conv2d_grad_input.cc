// conv2d_grad_input: dL_dx[q, i] = Σ_t Σ_o dL_dy[q − tap t, o] · w[o, t, i] (· act'(x[q, i]), act' written in the output x).
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d_grad_input(const Call& call) {
  const Operand &dL_dy = call.in[0], &w = call.in[1], &x = call.in[2], &dL_dx = call.out[0];
  FLOW_AGREE(call, call.n_attr >= 5);
  const Image image(call);
  FLOW_AGREE(call, image.fits(dL_dy.rows, w.cols) && is_activation(call.attr[3]));
  FLOW_AGREE(call, is(w, dL_dy.cols, w.cols, dL_dy.dtype));
  FLOW_AGREE(call, is(dL_dx, dL_dy.rows, w.cols / image.blocks, dL_dy.dtype) && (x.absent() || like(x, dL_dx)));
  const Activation act = static_cast<Activation>(call.int_attr(3));
  FLOW_AGREE(call, act != Activation::gelu && (x.absent() == (act == Activation::none) || dL_dx.count() == 0));
  return for_float(call, w.dtype, [&](auto zero) {
    using T = decltype(zero);
    convolve_back(image, Matrix<T>(dL_dy), Matrix<T>(w), act, call.attr[4], x, Matrix<T>(dL_dx));
  });
}

}  // namespace flow::reference
