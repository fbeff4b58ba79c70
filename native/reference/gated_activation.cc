// gated_activation: y = tanh(a)·σ(b), x = [a | b].
#include "reference/reference.h"

namespace flow::reference {

bool gated_activation(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  FLOW_AGREE(call, is(in, out.rows, 2 * out.cols, out.dtype));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(out);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c)
        y(r, c) = std::tanh(x(r, c)) / (1 + std::exp(-x(r, y.cols + c)));
  });
}

}  // namespace flow::reference
