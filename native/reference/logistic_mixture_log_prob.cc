// logistic_mixture_log_prob: log Σ_m π_m Π_c (σ((v + h − μ)/s) − σ((v − h − μ)/s)), by that difference.
#include "reference/discrete.h"

namespace flow::reference {

bool logistic_mixture_log_prob(const Call& call) {
  const Operand &params = call.in[0], &x = call.in[1], &out = call.out[0];
  const Mixture mix(params, x.cols, call.attr[0], call.attr[1]);
  const int64_t positions = call.int_attr(2);
  FLOW_AGREE(call, mix.fits(params) && is(x, params.rows, x.cols, params.dtype));
  FLOW_AGREE(call, positions > 0 && x.rows % positions == 0 && is_vector(out, x.rows / positions, DType::f64));
  return for_float(call, params.dtype, [&](auto zero) {
    const Matrix<decltype(zero)> p(params), level(x);
    const Vector<double> sums(out);
    for (int64_t i = 0; i < sums.count; ++i) sums(i) = 0;
    for (int64_t r = 0; r < x.rows; ++r) {
      bool valid = true;
      for (int64_t c = 0; c < x.cols; ++c) valid = valid && is_level(level(r, c), mix.levels);
      const double term = log_sum(mixture_terms(
          mix, [&](int64_t i) { return static_cast<double>(p(r, i)); }, [&](int64_t c) { return static_cast<double>(level(r, c)); }));
      sums(r / positions) += valid ? term : -HUGE_VAL;
    }
  });
}

}  // namespace flow::reference
