// unary: y = f(x). Attributes: kind, p, q.
#include "reference/functions.h"

namespace flow::reference {

bool unary(const Call& call) {
  FLOW_AGREE(call, like(call.in[0], call.out[0]) && is_kind(call.attr[0]));
  const Kind kind = static_cast<Kind>(call.int_attr(0));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T p = static_cast<T>(call.attr[1]), q = static_cast<T>(call.attr[2]);
    const Matrix<T> x(call.in[0]), y(call.out[0]);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = value_of(kind, x(r, c), p, q);
  });
}

}  // namespace flow::reference
