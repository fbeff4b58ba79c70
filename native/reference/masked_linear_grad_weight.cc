// masked_linear_grad_weight: dL_dW = (dL_dyᵀ · x) ⊙ mask.
#include "reference/reference.h"

namespace flow::reference {

bool masked_linear_grad_weight(const Call& call) {
  const Operand &dL_dy = call.in[0], &x = call.in[1], &extents = call.in[2], &dL_dW = call.out[0];
  FLOW_AGREE(call, is(x, dL_dy.rows, x.cols, dL_dy.dtype) && is(dL_dW, dL_dy.cols, x.cols, dL_dy.dtype));
  FLOW_AGREE(call, are_indices(extents, dL_dy.cols, x.cols));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> dy(dL_dy), in(x), dw(dL_dW);
    const Vector<int32_t> extent(extents);
    for (int64_t o = 0; o < dw.rows; ++o) {
      for (int64_t i = 0; i < dw.cols; ++i) {
        double sum = 0;
        if (i < extent(o))
          for (int64_t r = 0; r < dy.rows; ++r) sum += static_cast<double>(dy(r, o)) * static_cast<double>(in(r, i));
        dw(o, i) = static_cast<T>(sum);
      }
    }
  });
}

}  // namespace flow::reference
