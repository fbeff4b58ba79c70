// logistic_mixture_log_prob_grad: the gradient of logistic_mixture_log_prob by params, times d[sample]; zero where x is no level.
// in: params, x, d [samples] float64; out: dL_dparams. Attributes: as logistic_mixture_log_prob.
//
// Floor: parameters and gradient once, and the functions of each bin. A thread takes a row, its bins twice: once for the sum, once
// for the gradients, which nothing but registers holds between.
#include "cuda/ops/discrete.h"

namespace flow::cuda {
namespace {

template <class T>
struct Gradient {
  Matrix<const T> params, x;
  Vector<const double> d;
  Matrix<T> out;
  LogisticMixture m{};
  int64_t positions;

  __device__ __forceinline__ T sample(int64_t row) const { return static_cast<T>(*d.at(row / positions)); }
  __device__ __forceinline__ void operator()(T factor, int64_t r, int64_t) const {
    const T *p = params.at(r, 0), *level = x.at(r, 0);
    T* g = out.at(r, 0);
    if (!are_levels(m, level)) {
      for (int64_t i = 0; i < m.columns(); ++i) g[i] = T(0);
      return;
    }
    RunningSum<T> total{mixture_term(m, p, level, 0), T(1)}, weights{p[0], T(1)};
    for (int64_t k = 1; k < m.components; ++k) {
      total.add(mixture_term(m, p, level, k));
      weights.add(p[k]);
    }
    for (int64_t k = 0; k < m.components; ++k) {
      const T share = factor * (exp(mixture_term(m, p, level, k) - total.most) / total.sum);
      g[k] = share - factor * (exp(p[k] - weights.most) / weights.sum);
      for (int64_t c = 0; c < m.channels; ++c) {
        T inverse;
        const LogisticBin<T> bin = bin_of<true>(m, p, level, c, k, inverse);
        const T by_mean = share == T(0) ? T(0) : -(bin.by_distance * inverse) * share;
        const bool clamped = p[m.log_scale(c) + k] < static_cast<T>(m.least_log_scale);
        g[m.mean(c) + k] = by_mean;
        g[m.log_scale(c) + k] = clamped || share == T(0) ? T(0) : bin.by_log_scale * share;
        for (int64_t j = 0; j < c; ++j) {
          const T t = tanh(p[m.coefficient(c, j) + k]);
          g[m.coefficient(c, j) + k] = by_mean * value_of(m, level[j]) * (T(1) - t * t);
        }
      }
    }
  }
};

bool logistic_mixture_log_prob_grad(const Call& call) {
  LogisticMixture m{};
  int64_t positions = 1;
  if (!check_logistic_mixture_log_prob_grad(call, m, positions)) return false;
  const Operand &params = call.in[0], &x = call.in[1];
  return with_float(call, params, "params", [&](auto zero) {
    using T = decltype(zero);
    return walk_samples(call, x.rows, 1,
                        Gradient<T>{matrix<const T>(params), matrix<const T>(x), vector<const double>(call.in[2]),
                                    matrix<T>(call.out[0]), m, positions});
  });
}

}  // namespace

FLOW_DEFINE_OP(logistic_mixture_log_prob_grad) = {"logistic_mixture_log_prob_grad", logistic_mixture_log_prob_grad, 3, 3, 1, 3};

}  // namespace flow::cuda
