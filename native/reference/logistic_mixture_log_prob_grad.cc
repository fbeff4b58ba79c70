// logistic_mixture_log_prob_grad: by responsibilities and the derivatives of log (σ(b) − σ(c)):
// (1 − σ(b) − σ(c)) by the distance in scales, and by half the width h, both in units of the scale.
#include "reference/discrete.h"

namespace flow::reference {

bool logistic_mixture_log_prob_grad(const Call& call) {
  const Operand &params = call.in[0], &x = call.in[1], &d = call.in[2], &out = call.out[0];
  const Mixture mix(params, x.cols, call.attr[0], call.attr[1]);
  const int64_t positions = call.int_attr(2);
  FLOW_AGREE(call, mix.fits(params) && is(x, params.rows, x.cols, params.dtype) && like(out, params));
  FLOW_AGREE(call, positions > 0 && x.rows % positions == 0 && is_vector(d, x.rows / positions, DType::f64));
  return for_float(call, params.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Matrix<T> p(params), level(x), g(out);
    const Vector<double> factors(d);
    for (int64_t r = 0; r < x.rows; ++r) {
      const auto row = [&](int64_t i) { return static_cast<double>(p(r, i)); };
      const auto at = [&](int64_t c) { return static_cast<double>(level(r, c)); };
      bool valid = true;
      for (int64_t c = 0; c < x.cols; ++c) valid = valid && is_level(at(c), mix.levels);
      const std::vector<double> terms = mixture_terms(mix, row, at);
      const double total = log_sum(terms);
      std::vector<double> logits;
      for (int64_t m = 0; m < mix.k; ++m) logits.push_back(row(m));
      const double normaliser = log_sum(logits), factor = valid ? factors(r / positions) : 0;
      for (int64_t m = 0; m < mix.k; ++m) {
        const double share = valid ? factor * std::exp(terms[static_cast<size_t>(m)] - total) : 0;
        g(r, m) = static_cast<T>(share - factor * std::exp(row(m) - normaliser));
        for (int64_t c = 0; c < mix.c; ++c) {
          double mean = row(mix.mean(c, m));
          for (int64_t j = 0; j < c; ++j) mean += std::tanh(row(mix.coefficient(c, j, m))) * mix.value(at(j));
          const double raw = row(mix.log_scale(c, m)), scale = std::exp(std::fmax(mix.least, raw));
          const double off = (mix.value(at(c)) - mean) / scale, half = 1 / ((mix.levels - 1) * scale);
          const double b = off + half, low = off - half;
          const bool first = at(c) == 0, last = at(c) == static_cast<double>(mix.levels - 1);
          const double above = last ? 0 : sigmoid(-b), below = first ? 0 : sigmoid(low);
          const double width = first || last ? 0 : 2 / std::expm1(2 * half);
          const double by_mean = -(above - below) / scale;
          g(r, mix.mean(c, m)) = static_cast<T>(share * by_mean);
          g(r, mix.log_scale(c, m)) =
              raw < mix.least ? T(0) : static_cast<T>(-share * (off * (above - below) + half * (above + below + width)));
          for (int64_t j = 0; j < c; ++j) {
            const double t = std::tanh(row(mix.coefficient(c, j, m)));
            g(r, mix.coefficient(c, j, m)) = static_cast<T>(share * by_mean * mix.value(at(j)) * (1 - t * t));
          }
        }
      }
    }
  });
}

}  // namespace flow::reference
