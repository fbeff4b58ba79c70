// embed_columns: out = 0 but for the columns from `start`, which are `in`. Attribute: start.
#include "reference/reference.h"

namespace flow::reference {

bool embed_columns(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  const int64_t start = call.int_attr(0);
  FLOW_AGREE(call, in.rows == out.rows && in.dtype == out.dtype && start >= 0 && start + in.cols <= out.cols);
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(in), y(out);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = c >= start && c < start + x.cols ? x(r, c - start) : 0;
  });
}

}  // namespace flow::reference
