// logistic_mixture_log_prob: log p of levels by a mixture of discretised logistics (native/ops/discrete_operands.h), summed over the rows of a
// sample in float64; −∞ where x is no level. in: params, x [rows, C] of the type of params; out: [samples] float64.
// Attributes: levels, least logarithm of a scale, rows a sample.
//
// Floor: the parameters once, and five functions a channel of a mixture, which take longer. A thread takes a row.
#include "cuda/ops/discrete.h"

namespace flow::cuda {
namespace {

template <class T>
struct LogProb {
  Matrix<const T> params, x;
  LogisticMixture m{};
  int64_t positions;

  __device__ __forceinline__ Nothing sample(int64_t) const { return {}; }
  __device__ __forceinline__ double operator()(Nothing, int64_t n, int64_t unit) const {
    const int64_t r = n * positions + unit;
    const T *p = params.at(r, 0), *level = x.at(r, 0);
    if (!are_levels(m, level)) return -HUGE_VAL;
    RunningSum<T> total{mixture_term(m, p, level, 0), T(1)}, weights{p[0], T(1)};
    for (int64_t k = 1; k < m.components; ++k) {
      total.add(mixture_term(m, p, level, k));
      weights.add(p[k]);
    }
    return static_cast<double>((total.most - weights.most) + (log(total.sum) - log(weights.sum)));
  }
};

bool logistic_mixture_log_prob(const Call& call) {
  LogisticMixture m{};
  int64_t positions = 1;
  if (!check_logistic_mixture_log_prob(call, m, positions)) return false;
  const Operand &params = call.in[0], &x = call.in[1];
  return with_float(call, params, "params", [&](auto zero) {
    using T = decltype(zero);
    return sum_samples(call, x.rows / positions, positions, LogProb<T>{matrix<const T>(params), matrix<const T>(x), m, positions},
                       SampleSums{vector<double>(call.out[0]), false});
  });
}

}  // namespace

FLOW_DEFINE_OP(logistic_mixture_log_prob) = {"logistic_mixture_log_prob", logistic_mixture_log_prob, 2, 2, 1, 3};

}  // namespace flow::cuda
