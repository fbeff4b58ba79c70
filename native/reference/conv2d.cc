// conv2d: y[p, o] = act(Σ_t Σ_i x[p + tap t, i] · w[o, t, i] + bias[o] + addend[p, o]).
#include "reference/conv2d.h"

namespace flow::reference {

bool conv2d(const Call& call) {
  const Operand &x = call.in[0], &w = call.in[1], &bias = call.in[2], &addend = call.in[3], &y = call.out[0];
  FLOW_AGREE(call, call.n_attr >= 5);
  const Image image(call);
  FLOW_AGREE(call, image.fits(x.rows, w.cols) && is_activation(call.attr[3]));
  FLOW_AGREE(call, w.cols == image.blocks * x.cols && w.dtype == x.dtype && is(y, x.rows, w.rows, x.dtype));
  FLOW_AGREE(call, (bias.absent() || is(bias, 1, w.rows, x.dtype)) && (addend.absent() || like(addend, y)));
  const Activation act = static_cast<Activation>(call.int_attr(3));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    convolve<T>(image, Matrix<T>(x), Matrix<T>(w), bias, addend, act, call.attr[4], Matrix<T>(y));
  });
}

}  // namespace flow::reference
