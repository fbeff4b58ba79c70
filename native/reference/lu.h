// The operands of the lu ops, and the matrices that they stand for.
#pragma once
#include <vector>

#include "reference/reference.h"

namespace flow::reference {

// W [n, n] = P·lower·upper in float64, of factors, log_scale, sign, rows from call.in[at] on and the form:
// 0 L·(U + diag(s)), 1 L₀ + diag(s), 2 U + diag(s). log_det: Σ log_scale, 0 without.
struct LuMatrix {
  int64_t n = 0;
  std::vector<double> lower, upper, scale, w;
  std::vector<int64_t> rows;

  double log_det = 0;

  bool read(const Call& call, int at, double of_form) {
    const Operand &factors = call.in[at], &log_scale = call.in[at + 1], &sign = call.in[at + 2], &order = call.in[at + 3];
    const int form = static_cast<int>(of_form);
    n = factors.cols;
    FLOW_AGREE(call, form >= 0 && form <= 2 && n > 0 && factors.rows == n && log_scale.absent() == sign.absent());
    FLOW_AGREE(call, log_scale.absent() || (is_vector(log_scale, n, factors.dtype) && is_vector(sign, n, factors.dtype)));
    FLOW_AGREE(call, order.absent() || are_indices(order, n, n - 1));
    const size_t size = static_cast<size_t>(n * n);
    lower.assign(size, 0);
    upper.assign(size, 0);
    w.assign(size, 0);
    scale.assign(static_cast<size_t>(n), 0);
    rows.assign(static_cast<size_t>(n), 0);
    return for_float(call, factors.dtype, [&](auto zero) {
      using T = decltype(zero);
      const Matrix<T> f(factors);
      for (int64_t i = 0; i < n; ++i) {
        if (!log_scale.absent()) log_det += static_cast<double>(Vector<T>(log_scale)(i));
        rows[static_cast<size_t>(i)] = order.absent() ? i : Vector<int32_t>(order)(i);
        scale[static_cast<size_t>(i)] =
            log_scale.absent()
                ? static_cast<double>(f(i, i))
                : static_cast<double>(Vector<T>(sign)(i)) * std::exp(static_cast<double>(Vector<T>(log_scale)(i)));
        for (int64_t j = 0; j < n; ++j) {
          const double value = static_cast<double>(f(i, j));
          if (form == 1) {
            at2(lower, i, j) = i > j ? value : i == j ? scale[static_cast<size_t>(i)] : 0;
            at2(upper, i, j) = i == j ? 1 : 0;
          } else {
            at2(lower, i, j) = i == j ? 1 : i > j && form == 0 ? value : 0;
            at2(upper, i, j) = i < j ? value : i == j ? scale[static_cast<size_t>(i)] : 0;
          }
        }
      }
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t k = 0; k < n; ++k) at2(w, rows[static_cast<size_t>(i)], j) += at2(lower, i, k) * at2(upper, k, j);
    });
  }

  // Of a list: whether there is room for log_det, and the number written there.
  bool write_log_det(const Operand& out) const {
    if (out.absent()) return true;
    if (!is_scalar(out)) return false;
    *out.as<double>() = log_det;
    return true;
  }

  double& at2(std::vector<double>& m, int64_t i, int64_t j) { return m[static_cast<size_t>(i * n + j)]; }
};

// Whether there are per_in inputs and per_out outputs for each attribute, the form of a matrix.
inline bool is_lu_list(const Call& call, int per_in, int per_out) {
  return call.n_attr > 0 && call.n_in == per_in * call.n_attr && call.n_out == per_out * call.n_attr;
}

}  // namespace flow::reference
