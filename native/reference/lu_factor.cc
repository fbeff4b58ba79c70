// lu_factor: elimination with partial pivoting, one column after the other; the condition number by the inverse itself.
#include <vector>

#include "reference/reference.h"

namespace flow::reference {

bool lu_factor(const Call& call) {
  const Operand &w = call.in[0], &factors = call.out[0], &rows = call.out[1], &condition = call.out[4];
  const int64_t n = w.cols;
  FLOW_AGREE(call, n > 0 && w.rows == n && is(factors, n, n, DType::f64) && is_vector(rows, n, DType::i32));
  FLOW_AGREE(call, is_scalar(call.out[2]) && is_scalar(call.out[3]) && (condition.absent() || is_scalar(condition)));
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
    if (condition.absent()) return;
    // ‖W‖₁·‖W⁻¹‖₁: the largest sum of a column of each.
    double norm = 0, inverse_norm = sign == 0 ? INFINITY : 0;
    std::vector<double> v(static_cast<size_t>(n));
    const auto at = [&](int64_t i) -> double& { return v[static_cast<size_t>(i)]; };
    for (int64_t c = 0; c < n; ++c) {
      double sum = 0, of_inverse = 0;
      for (int64_t r = 0; r < n; ++r) sum += std::fabs(static_cast<double>(given(r, c)));
      for (int64_t i = 0; i < n; ++i) {
        at(i) = order(i) == c ? 1 : 0;
        for (int64_t k = 0; k < i; ++k) at(i) -= a(i, k) * at(k);
      }
      for (int64_t i = n - 1; i >= 0; --i) {
        for (int64_t k = i + 1; k < n; ++k) at(i) -= a(i, k) * at(k);
        at(i) /= a(i, i);
      }
      for (int64_t i = 0; i < n; ++i) of_inverse += std::fabs(at(i));
      norm = std::fmax(norm, sum);
      inverse_norm = std::fmax(inverse_norm, of_inverse);
    }
    *condition.as<double>() = norm * inverse_norm;
  });
}

}  // namespace flow::reference
