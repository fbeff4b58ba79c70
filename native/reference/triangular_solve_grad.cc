// triangular_solve_grad: −x'·g or −g·x', in the triangle of t. Attributes: left, lower, transpose, unit diagonal.
#include "reference/reference.h"

namespace flow::reference {

bool triangular_solve_grad(const Call& call) {
  const Operand &x = call.in[0], &g = call.in[1], &dt = call.out[0];
  const bool left = call.attr[0] != 0, lower = call.attr[1] != 0, transpose = call.attr[2] != 0, unit = call.attr[3] != 0;
  const int64_t n = dt.cols, matrices = n > 0 ? dt.rows / n : 0;
  FLOW_AGREE(call, n > 0 && dt.rows > 0 && dt.rows % n == 0 && x.dtype == dt.dtype && like(g, x));
  FLOW_AGREE(call, left ? x.rows % n == 0 && (matrices == 1 || x.rows == dt.rows) : x.cols == n && x.rows % matrices == 0);
  return for_float(call, dt.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> solution(x), gradient(g), out(dt);
    const int64_t sides = left ? x.cols : x.rows / matrices, terms = left ? x.rows / n / matrices : 1;
    const auto at = [&](const Matrix<T>& m, int64_t stack, int64_t side, int64_t j) {
      return static_cast<double>(left ? m(stack * n + j, side) : m(stack * sides + side, j));
    };
    for (int64_t matrix = 0; matrix < matrices; ++matrix) {
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t c = 0; c < n; ++c) {
          double sum = 0;
          if ((lower ? c < r : c > r) || (c == r && !unit))
            for (int64_t term = 0; term < terms; ++term)
              for (int64_t side = 0; side < sides; ++side) {
                const int64_t stack = matrix * terms + term;
                // x_k·g_j of entry (j, k) of the equation: that of op(t) is x'·g on the right, g·x' on the left.
                const bool x_first = left == transpose;
                sum += at(solution, stack, side, x_first ? r : c) * at(gradient, stack, side, x_first ? c : r);
              }
          out(matrix * n + r, c) = static_cast<T>(0.0 - sum);
        }
      }
    }
  });
}

}  // namespace flow::reference
