// masked_linear_grad_input: dL_dx = dL_dy · (W ⊙ mask).
#include "reference/reference.h"

namespace flow::reference {

bool masked_linear_grad_input(const Call& call) {
  const Operand &dL_dy = call.in[0], &w = call.in[1], &extents = call.in[2], &dL_dx = call.out[0];
  FLOW_AGREE(call, is(w, dL_dy.cols, w.cols, dL_dy.dtype) && is(dL_dx, dL_dy.rows, w.cols, dL_dy.dtype));
  FLOW_AGREE(call, are_indices(extents, w.rows, w.cols));
  return for_float(call, dL_dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> dy(dL_dy), weight(w), dx(dL_dx);
    const Vector<int32_t> extent(extents);
    for (int64_t r = 0; r < dx.rows; ++r) {
      for (int64_t i = 0; i < dx.cols; ++i) {
        double sum = 0;
        for (int64_t o = 0; o < dy.cols; ++o)
          if (i < extent(o)) sum += static_cast<double>(dy(r, o)) * static_cast<double>(weight(o, i));
        dx(r, i) = static_cast<T>(sum);
      }
    }
  });
}

}  // namespace flow::reference
