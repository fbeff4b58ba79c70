// scatter_columns: out[n, c] = Σ over k with indices[k] = c of d[n, k].
#include "reference/reference.h"

namespace flow::reference {

bool scatter_columns(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, out.rows == d.rows && out.dtype == d.dtype && are_indices(indices, d.cols, out.cols - 1));
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> from(d), y(out);
    const Vector<int32_t> index(indices);
    for (int64_t n = 0; n < y.rows; ++n) {
      for (int64_t c = 0; c < y.cols; ++c) y(n, c) = 0;
      for (int64_t k = 0; k < from.cols; ++k) y(n, index(k)) += from(n, k);
    }
  });
}

}  // namespace flow::reference
