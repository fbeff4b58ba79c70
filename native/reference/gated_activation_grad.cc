// gated_activation_grad: dL_dx of y = tanh(a)·σ(b), x = [a | b].
#include "reference/reference.h"

namespace flow::reference {

bool gated_activation_grad(const Call& call) {
  const Operand &in = call.in[0], &by = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, like(out, in) && is(by, in.rows, in.cols / 2, in.dtype) && in.cols % 2 == 0);
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), dL_dy(by), dL_dx(out);
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t c = 0; c < dL_dy.cols; ++c) {
        const T t = std::tanh(x(r, c)), s = 1 / (1 + std::exp(-x(r, dL_dy.cols + c)));
        dL_dx(r, c) = dL_dy(r, c) * s * (1 - t * t);
        dL_dx(r, dL_dy.cols + c) = dL_dy(r, c) * t * s * (1 - s);
      }
  });
}

}  // namespace flow::reference
