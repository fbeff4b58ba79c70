// categorical_log_prob_grad: d·([k = x] − softmax_k).
#include "reference/discrete.h"

namespace flow::reference {

bool categorical_log_prob_grad(const Call& call) {
  const Operand &logits = call.in[0], &x = call.in[1], &stats = call.in[2], &d = call.in[3], &out = call.out[0];
  const int64_t levels = call.int_attr(0), positions = call.int_attr(1);
  FLOW_AGREE(call, levels > 0 && positions > 0 && logits.rows == x.rows && logits.cols == x.cols * levels);
  FLOW_AGREE(call, x.rows % positions == 0 && is_vector(d, x.rows / positions, DType::f64));
  FLOW_AGREE(call, like(out, logits) && is(stats, x.rows, 2 * x.cols, logits.dtype));
  return for_float(call, logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> l(logits), sums(stats), g(out);
    const Vector<double> factor(d);
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t c = 0; c < x.cols; ++c) {
        const double at = level_at(x, r, c);
        for (int64_t k = 0; k < levels; ++k) {
          const double z = static_cast<double>(l(r, c * levels + k)) - static_cast<double>(sums(r, 2 * c));
          const double p = std::exp(z - static_cast<double>(sums(r, 2 * c + 1)));
          g(r, c * levels + k) =
              is_level(at, levels) ? static_cast<T>(factor(r / positions) * ((at == k ? 1 : 0) - p)) : T(0);
        }
      }
    }
  });
}

}  // namespace flow::reference
