// unary_grad: dL_dx = dL_dy · f'(s). Attributes: kind, p, q.
#include "reference/functions.h"

namespace flow::reference {

bool unary_grad(const Call& call) {
  FLOW_AGREE(call, like(call.in[0], call.out[0]) && like(call.in[1], call.out[0]) && is_kind(call.attr[0]));
  const Kind kind = static_cast<Kind>(call.int_attr(0));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T p = static_cast<T>(call.attr[1]), q = static_cast<T>(call.attr[2]);
    const Matrix<T> s(call.in[0]), dL_dy(call.in[1]), dL_dx(call.out[0]);
    for (int64_t r = 0; r < s.rows; ++r)
      for (int64_t c = 0; c < s.cols; ++c) dL_dx(r, c) = dL_dy(r, c) * derivative_of(kind, s(r, c), p, q);
  });
}

}  // namespace flow::reference
