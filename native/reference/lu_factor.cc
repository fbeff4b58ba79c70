// lu_factor: elimination with partial pivoting, one column after the other.
#include <utility>

#include "reference/reference.h"

namespace flow::reference {

bool lu_factor(const Call& call) {
  const Operand &w = call.in[0], &factors = call.out[0], &rows = call.out[1];
  const int64_t n = w.cols;
  FLOW_AGREE(call, n > 0 && w.rows == n && is(factors, n, n, DType::f64) && is_vector(rows, n, DType::i32));
  FLOW_AGREE(call, is_scalar(call.out[2]) && is_scalar(call.out[3]));
  return for_float(call, w.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> given(w);
    const Matrix<double> a(factors);
    const Vector<int32_t> order(rows);
    double sign = 1, log_det = 0;
    for (int64_t r = 0; r < n; ++r) {
      order(r) = static_cast<int32_t>(r);
      for (int64_t c = 0; c < n; ++c) a(r, c) = static_cast<double>(given(r, c));
    }
    for (int64_t k = 0; k < n; ++k) {
      int64_t best = k;
      for (int64_t i = k + 1; i < n; ++i)
        if (std::fabs(a(i, k)) > std::fabs(a(best, k))) best = i;
      if (best != k) {
        std::swap(order(k), order(best));
        for (int64_t c = 0; c < n; ++c) std::swap(a(k, c), a(best, c));
        sign = -sign;
      }
      sign *= a(k, k) > 0 ? 1 : a(k, k) < 0 ? -1 : a(k, k);
      log_det += std::log(std::fabs(a(k, k)));
      if (a(k, k) == 0) continue;
      for (int64_t i = k + 1; i < n; ++i) {
        a(i, k) /= a(k, k);
        for (int64_t c = k + 1; c < n; ++c) a(i, c) -= a(i, k) * a(k, c);
      }
    }
    *call.out[2].as<double>() = log_det;
    *call.out[3].as<double>() = sign + 0.0;
  });
}

}  // namespace flow::reference
