// batch_inverse: log|det A| and A⁻ᵀ of each A [C, C] below the others, by Gauss and Jordan with partial pivoting.
#include <utility>
#include <vector>

#include "reference/reference.h"

namespace flow::reference {

bool batch_inverse(const Call& call) {
  const Operand &in = call.in[0], &out = call.out[0], &logs = call.out[1];
  const int64_t n = in.cols;
  FLOW_AGREE(call, n > 0 && in.rows % n == 0 && is_vector(logs, in.rows / n, DType::f64) && (out.absent() || like(out, in)));
  return for_float(call, in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> a(in);
    for (int64_t b = 0; b < in.rows / n; ++b) {
      std::vector<std::vector<double>> m(static_cast<size_t>(n), std::vector<double>(static_cast<size_t>(2 * n)));
      const auto at = [&](int64_t r, int64_t c) -> double& { return m[static_cast<size_t>(r)][static_cast<size_t>(c)]; };
      for (int64_t r = 0; r < n; ++r) {
        for (int64_t c = 0; c < n; ++c) at(r, c) = static_cast<double>(a(b * n + r, c));
        at(r, n + r) = 1;
      }
      double log_det = 0;
      bool singular = false, number = true;
      for (const auto& row : m)
        for (double value : row) number = number && !std::isnan(value);
      for (int64_t k = 0; k < n; ++k) {
        int64_t best = k;
        for (int64_t r = k + 1; r < n; ++r)
          if (std::fabs(at(r, k)) > std::fabs(at(best, k))) best = r;
        std::swap(m[static_cast<size_t>(k)], m[static_cast<size_t>(best)]);
        const double pivot = at(k, k);
        log_det += std::log(std::fabs(pivot));
        singular = singular || pivot == 0;
        for (int64_t c = 0; c < 2 * n; ++c) at(k, c) /= pivot;
        for (int64_t r = 0; r < n; ++r) {
          const double factor = at(r, k);
          for (int64_t c = 0; r != k && c < 2 * n; ++c) at(r, c) -= factor * at(k, c);
        }
      }
      Vector<double>{logs}(b) = !number ? NAN : singular ? -INFINITY : log_det;
      for (int64_t r = 0; r < n && !out.absent(); ++r)
        for (int64_t c = 0; c < n; ++c) Matrix<T>{out}(b * n + c, r) = static_cast<T>(at(r, n + c));
    }
  });
}

}  // namespace flow::reference
