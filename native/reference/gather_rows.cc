// gather_rows: out[m, :] = scale·x[indices[m], :] + shift. Attributes: scale, shift.
#include "reference/reference.h"

namespace flow::reference {

bool gather_rows(const Call& call) {
  const Operand &in = call.in[0], &indices = call.in[1], &out = call.out[0];
  FLOW_AGREE(call, out.cols == in.cols && are_indices(indices, out.rows, in.rows - 1));
  return for_float(call, out.dtype, [&](auto to) {
    for_type(in.dtype, [&](auto from) {
      using T = decltype(to);
      const Matrix<decltype(from)> x(in);
      const Matrix<T> y(out);
      const Vector<int32_t> index(indices);
      const T scale = static_cast<T>(call.attr[0]), shift = static_cast<T>(call.attr[1]);
      for (int64_t m = 0; m < y.rows; ++m)
        for (int64_t c = 0; c < y.cols; ++c) y(m, c) = scale * static_cast<T>(x(index(m), c)) + shift;
    });
  });
}

}  // namespace flow::reference
