// accumulate: out = a + b + ….
#include "reference/reference.h"

namespace flow::reference {

bool accumulate(const Call& call) {
  for (int i = 0; i < call.n_in; ++i) FLOW_AGREE(call, like(call.in[i], call.out[0]));
  return for_float(call, call.out[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> y(call.out[0]);
    for (int64_t r = 0; r < y.rows; ++r) {
      for (int64_t c = 0; c < y.cols; ++c) {
        T sum = Matrix<T>(call.in[0])(r, c);
        for (int i = 1; i < call.n_in; ++i) sum += Matrix<T>(call.in[i])(r, c);
        y(r, c) = sum;
      }
    }
  });
}

}  // namespace flow::reference
