// accumulate: out = a + b.
#include "reference/reference.h"

namespace flow::reference {

bool accumulate(const Call& call) {
  FLOW_AGREE(call, like(call.in[0], call.out[0]) && like(call.in[1], call.out[0]));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> a(call.in[0]), b(call.in[1]), y(call.out[0]);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = a(r, c) + b(r, c);
  });
}

}  // namespace flow::reference
