// categorical_log_prob: Σ log softmax(logits)[x] of a sample; and the largest logit and log Σ exp(logit − largest).
#include "reference/discrete.h"

namespace flow::reference {

bool categorical_log_prob(const Call& call) {
  const Operand &logits = call.in[0], &x = call.in[1], &out = call.out[0], &stats = call.out[1];
  const int64_t levels = call.int_attr(0), positions = call.int_attr(1);
  FLOW_AGREE(call, levels > 0 && positions > 0 && logits.rows == x.rows && logits.cols == x.cols * levels);
  FLOW_AGREE(call, x.rows % positions == 0 && is_vector(out, x.rows / positions, DType::f64));
  FLOW_AGREE(call, stats.absent() || is(stats, x.rows, 2 * x.cols, logits.dtype));
  return for_float(call, logits.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> l(logits), kept(stats);
    const Vector<double> sums(out);
    for (int64_t i = 0; i < sums.count; ++i) sums(i) = 0;
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t c = 0; c < x.cols; ++c) {
        double most = -HUGE_VAL, sum = 0;
        for (int64_t k = 0; k < levels; ++k) most = larger(most, static_cast<double>(l(r, c * levels + k)));
        for (int64_t k = 0; k < levels; ++k) sum += std::exp(static_cast<double>(l(r, c * levels + k)) - most);
        const double at = level_at(x, r, c);
        sums(r / positions) +=
            is_level(at, levels) ? static_cast<double>(l(r, c * levels + static_cast<int64_t>(at))) - most - std::log(sum)
                                 : -HUGE_VAL;
        if (stats.absent()) continue;
        kept(r, 2 * c) = static_cast<T>(most);
        kept(r, 2 * c + 1) = static_cast<T>(std::log(sum));
      }
    }
  });
}

}  // namespace flow::reference
