// gather_columns: out[n, k] = x[n, indices[k]].
#include "reference/reference.h"

namespace flow::reference {

bool gather_columns(const Call& call) {
  const Operand &in = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, out.rows == in.rows && out.dtype == in.dtype && are_indices(indices, out.cols, in.cols - 1));
  return for_float(call, out.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> x(in), y(out);
    const Vector<int32_t> index(indices);
    for (int64_t n = 0; n < y.rows; ++n)
      for (int64_t k = 0; k < y.cols; ++k) y(n, k) = x(n, index(k));
  });
}

}  // namespace flow::reference
