// lu_solve: x of W·x = y − bias, or of W'·x = y, row by row, by substitution. Attributes: form, transpose, method (ignored).
#include "reference/lu.h"

namespace flow::reference {

bool lu_solve(const Call& call) {
  LuMatrix m;
  if (!m.read(call, 1, call.attr[0])) return false;
  const Operand &y = call.in[0], &bias = call.in[5], &x = call.out[0];
  const bool transpose = call.attr[1] != 0;
  FLOW_AGREE(call, y.absent() ? is(x, m.n, m.n, x.dtype) : like(y, x) && x.cols == m.n);
  FLOW_AGREE(call, bias.absent() || (is(bias, 1, m.n, x.dtype) && !transpose));
  return for_float(call, x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> given(y), out(x);
    const int64_t n = m.n;
    std::vector<double> v(static_cast<size_t>(n));
    const auto at = [&](int64_t i) -> double& { return v[static_cast<size_t>(i)]; };
    for (int64_t r = 0; r < x.rows; ++r) {
      const auto side = [&](int64_t c) {
        const double value = y.absent() ? (r == c ? 1 : 0) : static_cast<double>(given(r, c));
        return bias.absent() ? value : value - static_cast<double>(Vector<T>(bias)(c));
      };
      for (int64_t i = 0; i < n; ++i) at(i) = transpose ? side(i) : side(m.rows[static_cast<size_t>(i)]);
      // W·x = y: lower, then upper; W'·x = y: upper', then lower'.
      for (int64_t i = 0; i < n; ++i) {
        auto& matrix = transpose ? m.upper : m.lower;
        for (int64_t k = 0; k < i; ++k) at(i) -= (transpose ? m.at2(matrix, k, i) : m.at2(matrix, i, k)) * at(k);
        at(i) /= m.at2(matrix, i, i);
      }
      for (int64_t i = n - 1; i >= 0; --i) {
        auto& matrix = transpose ? m.lower : m.upper;
        for (int64_t k = i + 1; k < n; ++k) at(i) -= (transpose ? m.at2(matrix, k, i) : m.at2(matrix, i, k)) * at(k);
        at(i) /= m.at2(matrix, i, i);
      }
      for (int64_t i = 0; i < n; ++i) out(r, transpose ? m.rows[static_cast<size_t>(i)] : i) = static_cast<T>(at(i));
    }
  });
}

}  // namespace flow::reference
