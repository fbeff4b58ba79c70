// triangular_solve: X·op(T) = B or op(T)·X = B by substitution. Attributes: left, lower, transpose, unit diagonal.
#include "reference/reference.h"

namespace flow::reference {

bool triangular_solve(const Call& call) {
  const Operand &t = call.in[0], &b = call.in[1], &x = call.out[0];
  const bool left = call.attr[0] != 0, lower = call.attr[1] != 0, transpose = call.attr[2] != 0, unit = call.attr[3] != 0;
  const int64_t n = t.cols, matrices = n > 0 ? t.rows / n : 0;
  FLOW_AGREE(call, n > 0 && t.rows > 0 && t.rows % n == 0 && b.dtype == t.dtype && like(x, b));
  FLOW_AGREE(call, left ? b.rows % n == 0 && (matrices == 1 || b.rows == t.rows) : b.cols == n && b.rows % matrices == 0);
  return for_float(call, t.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> triangle(t), given(b), out(x);
    const int64_t sides = left ? b.cols : b.rows / matrices, stacks = left ? b.rows / n : matrices;
    for (int64_t stack = 0; stack < stacks; ++stack) {
      const int64_t top = matrices > 1 ? stack * n : 0;
      // A row or a column of x; entry(j, k) multiplies x_k in the equation of b_j.
      const auto at = [&](const Matrix<T>& m, int64_t side, int64_t j) -> T& {
        return left ? m(stack * n + j, side) : m(stack * sides + side, j);
      };
      const auto entry = [&](int64_t j, int64_t k) {
        return static_cast<double>(left != transpose ? triangle(top + j, k) : triangle(top + k, j));
      };
      const bool forward = lower == (left != transpose);
      for (int64_t side = 0; side < sides; ++side) {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t j = forward ? i : n - 1 - i;
          double sum = static_cast<double>(at(given, side, j));
          for (int64_t k = 0; k < n; ++k)
            if (forward ? k < j : k > j) sum -= entry(j, k) * static_cast<double>(at(out, side, k));
          at(out, side, j) = static_cast<T>(unit ? sum : sum / entry(j, j));
        }
      }
    }
  });
}

}  // namespace flow::reference
