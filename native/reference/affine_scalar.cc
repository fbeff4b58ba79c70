// affine_scalar: y = scale·x + shift. Attributes: scale, shift.
#include "reference/reference.h"

namespace flow::reference {

bool affine_scalar(const Call& call) {
  FLOW_AGREE(call, like(call.in[0], call.out[0]));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T scale = static_cast<T>(call.attr[0]), shift = static_cast<T>(call.attr[1]);
    const Matrix<T> x(call.in[0]), y(call.out[0]);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = scale * x(r, c) + shift;
  });
}

}  // namespace flow::reference
