// matmul: c = op(a) · op(b). Attributes: transpose a (0 or 1), transpose b.
#include "reference/reference.h"

namespace flow::reference {

bool matmul(const Call& call) {
  const Operand &a = call.in[0], &b = call.in[1], &c = call.out[0];
  const bool ta = call.attr[0] != 0, tb = call.attr[1] != 0;
  const int64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols, n = tb ? b.rows : b.cols;
  FLOW_AGREE(call, (tb ? b.cols : b.rows) == k && b.dtype == a.dtype && is(c, m, n, a.dtype));
  return for_float(call, a.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> x(a), y(b), out(c);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p)
          sum += static_cast<double>(ta ? x(p, i) : x(i, p)) * static_cast<double>(tb ? y(j, p) : y(p, j));
        out(i, j) = static_cast<T>(sum);
      }
    }
  });
}

}  // namespace flow::reference
