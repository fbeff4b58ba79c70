// scatter_rows: out[r, :] = Σ over m with indices[m] = r of d[m, :].
#include "reference/reference.h"

namespace flow::reference {

bool scatter_rows(const Call& call) {
  const Operand &d = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, out.cols == d.cols && out.dtype == d.dtype && are_indices(indices, d.rows, out.rows - 1));
  return for_float(call, out.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> from(d), y(out);
    const Vector<int32_t> index(indices);
    for (int64_t r = 0; r < y.rows; ++r)
      for (int64_t c = 0; c < y.cols; ++c) y(r, c) = 0;
    for (int64_t m = 0; m < from.rows; ++m)
      for (int64_t c = 0; c < y.cols; ++c) y(index(m), c) += from(m, c);
  });
}

}  // namespace flow::reference
