// concat_columns: the columns of the inputs side by side.
#include "reference/reference.h"

namespace flow::reference {

bool concat_columns(const Call& call) {
  const Operand& out = call.out[0];
  int64_t cols = 0;
  for (int i = 0; i < call.n_in; ++i) {
    FLOW_AGREE(call, call.in[i].rows == out.rows && call.in[i].dtype == out.dtype);
    cols += call.in[i].cols;
  }
  FLOW_AGREE(call, cols == out.cols);
  for_type(out.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> y(out);
    int64_t start = 0;
    for (int i = 0; i < call.n_in; ++i) {
      const Matrix<decltype(zero)> x(call.in[i]);
      for (int64_t r = 0; r < x.rows; ++r)
        for (int64_t c = 0; c < x.cols; ++c) y(r, start + c) = x(r, c);
      start += x.cols;
    }
  });
  return true;
}

}  // namespace flow::reference
